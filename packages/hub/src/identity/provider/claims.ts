type TokenFacts = {
  readonly user: { readonly email: string; readonly emailVerified: boolean }
  readonly scopes: readonly string[]
  readonly metadata?: { readonly emailInIdToken?: unknown }
}

/**
 * The address inside the ID token, for clients that never ask UserInfo (most schools do not). Only with the scope
 * `email`, and only for clients registered so.
 */
export async function idTokenClaims({ user, scopes, metadata }: TokenFacts): Promise<Record<string, unknown>> {
  if (!scopes.includes('email') || metadata?.emailInIdToken !== true) return {}
  return { email: user.email, email_verified: user.emailVerified }
}
