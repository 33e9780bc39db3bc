import type { App } from '#action/context.ts'

export type CodeKind = 'sign_in' | 'email_change' | 'password_reset'

/** A code on its way to a mailbox. `organization` names whose words the mail speaks; null for the installation's own. */
export type CodeDelivery = {
  readonly email: string
  readonly code: string
  readonly kind: CodeKind
  readonly organization: string | null
}

export type ProviderDeps = {
  readonly app: App
  readonly databaseUrl: string
  /** Signs cookies and encrypts keys and second factors. Derived from the installation's master key. */
  readonly secret: string
  /** Hands the code to the mail slice. Takes as long for a stranger's address as for a known one. */
  readonly deliverCode: (delivery: CodeDelivery) => Promise<void>
  /** The scopes of the hub's actions, which service clients may be given. */
  readonly serviceScopes: readonly string[]
}

/** Set by our own bridge from the connection, never taken from the caller. */
export const addressHeader = 'x-bursar-address'
