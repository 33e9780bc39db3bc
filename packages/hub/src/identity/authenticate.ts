import type { Instant } from '@bursar/kit/clock.ts'
import { minute, second } from '@bursar/kit/clock.ts'
import { hashSecret, verifySecretHash } from '@bursar/kit/signature/token.ts'
import type { Caller } from '#action/caller.ts'
import type { App } from '#action/context.ts'
import type { Database } from '#db/database.ts'
import { chosenPattern, findChosenKey, findKey, type KeyRecord, touchKey } from './keys.ts'
import { parseToken } from './token.ts'

export type Authentication =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly reason: 'missing' | 'invalid' }

// A revoked key works for at most this long in other processes; in its own it ends at once.
const cacheMs = 10 * second
const cacheEntriesMax = 10_000
const touchEveryMs = minute

type Entry = { readonly caller: Caller; readonly keyId: string; readonly until: Instant }

// One cache per database, so that it lives and dies with the process that owns the pool. Keyed by the key's hash: the
// key in clear is not kept in memory.
const caches = new WeakMap<Database, Map<string, Entry>>()

const cacheOf = (db: Database): Map<string, Entry> => {
  const known = caches.get(db) ?? new Map<string, Entry>()
  caches.set(db, known)
  return known
}

/** Who sends `Authorization: Bearer bsk_…`. Revoked, expired and unknown keys are all `invalid`: nobody learns which. */
export async function authenticate(
  app: Pick<App, 'db' | 'clock'>,
  header: string | undefined,
): Promise<Authentication> {
  if (header === undefined || header === '') return { ok: false, reason: 'missing' }
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1]
  if (token === undefined) return { ok: false, reason: 'invalid' }
  const now = app.clock.now()
  const cache = cacheOf(app.db)
  const hash = hashSecret(token)
  const cached = cache.get(hash)
  if (cached !== undefined && now < cached.until) return { ok: true, caller: cached.caller }
  cache.delete(hash)

  const key = await lookUp(app.db, token)
  if (key === null || !verifySecretHash(token, key.secret_hash)) return { ok: false, reason: 'invalid' }
  if (key.revoked_at !== null || (key.expires_at !== null && key.expires_at <= now)) {
    return { ok: false, reason: 'invalid' }
  }
  if (key.last_used_at === null || key.last_used_at < now - touchEveryMs) {
    await touchKey(app.db, key.id, now, now - touchEveryMs)
  }
  const caller: Caller = {
    organization: key.organization_id,
    actor: { kind: 'key', id: key.id, name: key.name },
    scopes: key.scopes,
  }
  remember(cache, hash, { caller, keyId: key.id, until: Math.min(now + cacheMs, key.expires_at ?? Infinity) })
  return { ok: true, caller }
}

async function lookUp(db: Database, token: string): Promise<KeyRecord | null> {
  const parsed = parseToken(token)
  if (parsed !== null) return findKey(db, parsed.keyId)
  return chosenPattern.test(token) ? findChosenKey(db, token) : null
}

function remember(cache: Map<string, Entry>, hash: string, entry: Entry): void {
  const oldest = cache.size >= cacheEntriesMax ? cache.keys().next().value : undefined
  if (oldest !== undefined) cache.delete(oldest)
  cache.set(hash, entry)
}

/** Ends what this process remembers of a key. */
export function forgetKey(db: Database, keyId: string): void {
  const cache = cacheOf(db)
  for (const [hash, entry] of cache) if (entry.keyId === keyId) cache.delete(hash)
}
