const noSecondPayment = 'You do not need to pay or order again.'

/** Every sentence a learner reads on the pages. They say what is, why, and what happens next; never whose fault. */
export const texts = {
  busy: {
    title: 'One moment',
    text: 'There were too many requests from your network. Please try again in a minute.',
  },
  foreign: {
    title: 'Please press the button here',
    text: 'This was sent from another website, so nothing was done. Open the page here and press its button.',
  },
  launch: {
    open: 'Open the course',
    once: (school: string) => `This link signs you in at ${school}. It works once and only for you.`,
    own: (school: string) => `This signs you in at ${school}.`,
    preparing: (school: string) =>
      `Your seat at ${school} is being prepared. This usually takes a few seconds. ${noSecondPayment}`,
    waiting: (school: string) =>
      `Your seat at ${school} could not be opened yet. We know about it and keep working on it. ${noSecondPayment}`,
    closed: (because: string | null) => `Access to this course has ended. ${because ?? ''}`.trim(),
    staff: (school: string) =>
      `The account with your address belongs to the staff of ${school}, so this link does not sign you in. Sign in at the school as you always do.`,
    unproven: (school: string, address: string) =>
      `${school} had an account for ${address} before. To open it from here, show once that this mailbox is yours: sign in with a code sent to it.`,
    prove: 'Get a code',
    live: 'This page follows by itself.',
    ended: {
      title: 'This link has ended',
      text: 'It was used already or is too old. Go back to where you found it and ask for a new one. Your course is not lost.',
    },
    unknown: {
      title: 'There is nothing to open here',
      text: 'There is no such course, or it is not yours with the address you are signed in with.',
    },
    signIn: {
      title: 'Sign in to open your course',
      text: 'Your course opens for you alone. Sign in with the address you bought it with; a code by mail is enough.',
      button: 'Sign in',
    },
    refused: 'The school does not sign this account in. Please write to whoever sold you the course; they can see why.',
    unavailable: (again: string) =>
      `The school does not answer right now. Please try again in a minute${again}. ${noSecondPayment}`,
    linkStays: '; this link stays good',
    otherAccount: 'Use another address',
  },
} as const
