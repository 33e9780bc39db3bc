import type { SignedIn } from './signed-in.ts'

/** For tests: a session as a source would tell of it, unproven and without a second factor unless told otherwise. */
export const signedInAs = (subject: string, more: Partial<SignedIn> = {}): SignedIn => ({
  sessionId: `session-${subject}`,
  issuer: 'https://issuer.test',
  subject,
  email: null,
  emailVerified: false,
  mailboxProvenAt: null,
  name: null,
  authenticatedAt: 0,
  secondFactorAt: null,
  organization: null,
  via: 'token',
  ...more,
})
