/** Of an address other than the paid one. */
export const englishDiffers = {
  t_differsTitle: 'Is this you?',
  t_differs: 'You paid as {paid} and signed in as {signed}. Shall it belong to {signed}? We tell {paid}.',
  t_differsYes: 'Yes, open it for {signed}',
  t_differsNo: 'No, use another address',
} as const
