/** Of other ways to sign in. */
export const englishWays = {
  t_ownWays: 'Password or passkey',
  t_issuer: 'With {name}',
  t_popupBlocked: 'Your browser did not open the window.',
  t_signInFailed: 'You were not signed in.',
} as const
