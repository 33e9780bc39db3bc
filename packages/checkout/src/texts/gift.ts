/** Of a gift. */
export const englishGift = {
  t_giftTitle: 'Who is it for?',
  t_giftEmail: 'Their e-mail address (empty: you get the link)',
  t_giftName: 'Their name',
  t_giftFrom: 'Your name, as it is signed',
  t_giftDay: 'When it should arrive (empty: at once)',
  t_giftMessage: 'A few words',
} as const
