/** What only the frames about accounts say. */
export const englishAccount = {
  t_signInTitle: 'Sign in',
  t_signedIn: 'You are signed in.',
  t_signedInAs: 'Signed in as {email}',
  t_signedOut: 'Not signed in',
  t_signOut: 'Sign out',
  t_account: 'My account',
} as const
