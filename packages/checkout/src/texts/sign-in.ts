/** Signing in with a code. */
export const englishSignIn = {
  t_signIn: 'We send a code of six digits to your mailbox.',
  t_sendCode: 'Send me a code',
  t_codeSent: 'We sent a code to {email}. It is good for ten minutes.',
  t_code: 'Code of six digits',
  t_confirm: 'Confirm',
  t_resend: 'Send a new code',
  t_resendIn: 'Send a new code (in {s} s)',
  t_otherAddress: 'Use another address',
  t_codeWrong: 'That code is not right. After three you need a new one.',
  t_codeSpent: 'This code is used up or too old. Send a new one.',
  t_otherWays: 'Other ways to sign in',
} as const
