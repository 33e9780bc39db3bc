import { betterAuth } from 'better-auth'
import type { Kysely } from 'kysely'
import type pg from 'pg'
import type { ProviderDeps } from './deps.ts'
import { authOptions } from './options.ts'
import { createAuthDatabase, createAuthPool } from './pool.ts'

export const makeAuth = (deps: ProviderDeps, publicUrl: string, db: Kysely<Record<string, unknown>>) =>
  betterAuth(authOptions(deps, publicUrl, db))

export type Auth = ReturnType<typeof makeAuth>

/** The library with its connections. `auth()` is asked each time: the public address is known only after listening. */
export type AuthHome = {
  readonly deps: ProviderDeps
  readonly pool: pg.Pool
  auth(): Auth
  close(): Promise<void>
}

export function createAuthHome(deps: ProviderDeps): AuthHome {
  const pool = createAuthPool(deps.databaseUrl)
  const db = createAuthDatabase(pool)
  let made: { readonly publicUrl: string; readonly auth: Auth } | null = null
  return {
    deps,
    pool,
    auth: () => {
      const { publicUrl } = deps.app
      if (made?.publicUrl !== publicUrl) made = { publicUrl, auth: makeAuth(deps, publicUrl, db) }
      return made.auth
    },
    close: () => pool.end(),
  }
}
