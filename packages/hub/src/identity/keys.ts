import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { Ids } from '@bursar/kit/ids.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import type { Database, Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { type KeyMode, mintToken } from './token.ts'

export type ApiKey = {
  readonly id: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly expiresAt: Instant | null
  readonly revokedAt: Instant | null
  readonly lastUsedAt: Instant | null
  readonly createdAt: Instant
}

type Row = {
  id: string
  name: string
  scopes: string[]
  expires_at: Instant | null
  revoked_at: Instant | null
  last_used_at: Instant | null
  created_at: Instant
}

const toKey = (row: Row): ApiKey => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
  lastUsedAt: row.last_used_at,
  createdAt: row.created_at,
})

/** Makes a key. `secret` is the whole key in clear: shown to its owner now, and stored nowhere. */
export async function createKey(
  tx: Tx,
  deps: { readonly ids: Ids; readonly demo: boolean },
  wish: {
    readonly organization: string
    readonly name: string
    readonly scopes: readonly string[]
    readonly expiresAt: Instant | null
  },
): Promise<{ readonly key: ApiKey; readonly secret: string }> {
  const id = deps.ids.next('key')
  const mode: KeyMode = deps.demo ? 'demo' : 'live'
  const secret = mintToken(mode, id)
  const row = await tx.one<Row>(sql('api_key_insert')`
    insert into api_key (id, organization_id, name, scopes, secret_hash, expires_at, created_at)
    values (${id}, ${wish.organization}, ${wish.name}, ${wish.scopes}, ${hashSecret(secret)}, ${ts(wish.expiresAt)}, ${ts(tx.now)})
    returning id, name, scopes, expires_at, revoked_at, last_used_at, created_at`)
  return { key: toKey(row), secret }
}

/**
 * Takes in a key that somebody chose, for a deployment that brings its own: any text of at least 32 visible characters. The same
 * key again changes its scopes; a key of another organization is a conflict.
 */
export async function importKey(
  tx: Tx,
  deps: { readonly ids: Ids },
  given: {
    readonly organization: string
    readonly name: string
    readonly scopes: readonly string[]
    readonly secret: string
  },
): Promise<ApiKey> {
  if (!chosenPattern.test(given.secret)) throw new CodedError('secret_weak')
  const row = await tx.maybeOne<Row>(sql('api_key_import')`
    insert into api_key (id, organization_id, name, scopes, secret_hash, created_at)
    values (${deps.ids.next('key')}, ${given.organization}, ${given.name}, ${given.scopes}, ${hashSecret(given.secret)},
      ${ts(tx.now)})
    on conflict (secret_hash) do update set scopes = excluded.scopes, name = excluded.name
      where api_key.organization_id = excluded.organization_id and api_key.revoked_at is null
    returning id, name, scopes, expires_at, revoked_at, last_used_at, created_at`)
  if (row === null) throw new CodedError('conflict', 'This key was revoked, or belongs to another organization.')
  return toKey(row)
}

/** What a chosen key may look like. Shorter ones could be guessed. */
export const chosenPattern = /^[\x21-\x7e]{32,200}$/

/** Newest first. */
export async function listKeys(tx: Tx, page: { readonly after: string | null; readonly limit: number }) {
  const rows = await tx.many<Row>(sql('api_key_list')`
    select id, name, scopes, expires_at, revoked_at, last_used_at, created_at from api_key
    where organization_id = bursar_organization() and (${page.after}::text is null or id < ${page.after})
    order by id desc limit ${page.limit}`)
  return rows.map(toKey)
}

/** Ends a key for good; null when there is none. A second time changes nothing. */
export async function revokeKey(tx: Tx, id: string): Promise<ApiKey | null> {
  const row = await tx.maybeOne<Row>(sql('api_key_revoke')`
    update api_key set revoked_at = coalesce(revoked_at, ${ts(tx.now)}) where id = ${id}
    returning id, name, scopes, expires_at, revoked_at, last_used_at, created_at`)
  return row === null ? null : toKey(row)
}

export type KeyRecord = {
  readonly id: string
  readonly organization_id: string
  readonly name: string
  readonly scopes: string[]
  readonly secret_hash: string
  readonly expires_at: Instant | null
  readonly revoked_at: Instant | null
  readonly last_used_at: Instant | null
}

/** Over all tenants: the key decides which one it is. */
export async function findKey(db: Database, id: string): Promise<KeyRecord | null> {
  const rows = await db.direct<KeyRecord>(sql('api_key_find')`
    select id, organization_id, name, scopes, secret_hash, expires_at, revoked_at, last_used_at
    from api_key where id = ${id}`)
  return rows[0] ?? null
}

/** Chosen keys carry no id, so their hash finds them: 256 bits that no one can aim at. */
export async function findChosenKey(db: Database, secret: string): Promise<KeyRecord | null> {
  const rows = await db.direct<KeyRecord>(sql('api_key_find_chosen')`
    select id, organization_id, name, scopes, secret_hash, expires_at, revoked_at, last_used_at
    from api_key where secret_hash = ${hashSecret(secret)}`)
  return rows[0] ?? null
}

export const touchKey = (db: Database, id: string, at: Instant, before: Instant) =>
  db.direct(sql('api_key_touch')`
    update api_key set last_used_at = ${ts(at)}
    where id = ${id} and (last_used_at is null or last_used_at < ${ts(before)})`)
