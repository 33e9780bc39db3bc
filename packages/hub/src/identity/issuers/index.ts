import type { App } from '#action/context.ts'
import type { SessionSource } from '#identity/signed-in.ts'
import { accessTokenSource } from './access-tokens.ts'
import { createIssuerKeys, type IssuerKeys } from './keys.ts'

/** The external identity providers of one process. */
export type Issuers = {
  /** Who signs a request, in the order to be asked: own sessions of external people, then foreign access tokens. */
  readonly sources: readonly SessionSource[]
  readonly keys: IssuerKeys
}

export function createIssuers(app: App): Issuers {
  const keys = createIssuerKeys(app)
  return { keys, sources: [accessTokenSource({ app, keys })] }
}
