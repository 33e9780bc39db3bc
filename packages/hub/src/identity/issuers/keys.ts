import { day, type Instant, minute, second } from '@bursar/kit/clock.ts'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { App } from '#action/context.ts'
import { json, sql, ts } from '#db/sql.ts'
import { type Metadata, type Problem, type Read, readKeys, readMetadata } from './metadata.ts'

/** After this long the keys are asked for again, so that a withdrawn key ends. */
const freshMs = 10 * minute
/** A stranger who invents key ids makes us ask no more often than this. */
const pauseMs = 30 * second
/** How long an issuer that cannot be reached still counts by what it published last. */
const outageMs = 7 * day

export type Published = { readonly metadata: Metadata; readonly keys: JSONWebKeySet; readonly fetchedAt: Instant }

type Entry = {
  known: (Published & { readonly find: JWTVerifyGetKey }) | null
  triedAt: Instant | null
  pending: Promise<Read<Published>> | null
}

export type IssuerKeys = {
  /** The key a token names. Throws jose's errors when there is none. */
  keyFor(issuer: string): JWTVerifyGetKey
  /** The issuer's description: what is known, or what it answers now. */
  metadata(issuer: string): Promise<Read<Metadata>>
  /** Asks the issuer now, whatever is known. */
  refresh(issuer: string): Promise<Read<Published>>
}

type Deps = Pick<App, 'db' | 'http' | 'clock'>

/** One per process: keys in memory, and in `issuer_keys` for the next start. */
export function createIssuerKeys(app: Deps & Pick<App, 'log'>): IssuerKeys {
  const entries = new Map<string, Entry>()

  const load = async (issuer: string): Promise<Entry> => {
    const there = entries.get(issuer)
    if (there !== undefined) return there
    const stored = await readStored(app, issuer)
    // Two requests may have waited for the same row; the first one's entry counts.
    const entry = entries.get(issuer) ?? { known: withFind(stored), triedAt: null, pending: null }
    entries.set(issuer, entry)
    return entry
  }

  const fetchNow = (entry: Entry, issuer: string): Promise<Read<Published>> => {
    entry.triedAt = app.clock.now()
    entry.pending ??= ask(app, issuer, entry.known?.metadata ?? null)
      .then((read) => {
        if (read.ok) entry.known = withFind(read.value)
        else app.log.warn('an issuer did not publish its keys', { issuer, problem: read.problem.message })
        return read
      })
      .finally(() => {
        entry.pending = null
      })
    return entry.pending
  }

  const mayAsk = (entry: Entry): boolean => entry.triedAt === null || app.clock.now() - entry.triedAt >= pauseMs
  const age = (entry: Entry): number => (entry.known === null ? Infinity : app.clock.now() - entry.known.fetchedAt)

  /** What to verify with now. While one request asks the issuer again, the others go on with what is known. */
  const current = async (entry: Entry, issuer: string) => {
    if (age(entry) >= freshMs && mayAsk(entry)) await fetchNow(entry, issuer)
    else if (entry.known === null && entry.pending !== null) await entry.pending
    return age(entry) < outageMs ? entry.known : null
  }

  return {
    keyFor: (issuer) => async (header, token) => {
      const entry = await load(issuer)
      const known = await current(entry, issuer)
      if (known === null) throw new errors.JWKSNoMatchingKey()
      try {
        return await known.find(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || !mayAsk(entry)) throw error
        const read = await fetchNow(entry, issuer)
        if (!read.ok || entry.known === null) throw error
        return entry.known.find(header, token)
      }
    },
    metadata: async (issuer) => {
      const entry = await load(issuer)
      const known = await current(entry, issuer)
      if (known !== null) return { ok: true, value: known.metadata }
      return mayAsk(entry) ? metadataOf(await fetchNow(entry, issuer)) : { ok: false, problem: unreachable(issuer) }
    },
    refresh: async (issuer) => fetchNow(await load(issuer), issuer),
  }
}

const unreachable = (issuer: string): Problem => ({
  step: 'discovery',
  message: `${issuer} could not be read a moment ago.`,
  blocked: false,
})

const metadataOf = (read: Read<Published>): Read<Metadata> =>
  read.ok ? { ok: true, value: read.value.metadata } : read

const withFind = (published: Published | null) =>
  published === null ? null : { ...published, find: createLocalJWKSet(published.keys) }

/** When only the description cannot be read, the address of the keys that it gave last still counts. */
async function ask(app: Deps, issuer: string, before: Metadata | null): Promise<Read<Published>> {
  const described = await readMetadata(app.http, issuer)
  if (described.ok) return publish(app, issuer, described.value)
  return before === null ? described : publish(app, issuer, before)
}

async function publish(app: Deps, issuer: string, metadata: Metadata): Promise<Read<Published>> {
  const keys = await readKeys(app.http, metadata)
  if (!keys.ok) return keys
  const published = { metadata, keys: keys.value, fetchedAt: app.clock.now() }
  await app.db.direct(sql('issuer_keys_store')`
    insert into issuer_keys (issuer, metadata, keys, fetched_at)
    values (${issuer}, ${json(metadata)}, ${json(keys.value)}, ${ts(published.fetchedAt)})
    on conflict (issuer) do update
      set metadata = excluded.metadata, keys = excluded.keys, fetched_at = excluded.fetched_at`)
  return { ok: true, value: published }
}

async function readStored(app: Pick<App, 'db'>, issuer: string): Promise<Published | null> {
  const rows = await app.db.direct<Published>(sql('issuer_keys_read')`
    select metadata, keys, fetched_at as "fetchedAt" from issuer_keys where issuer = ${issuer}`)
  return rows[0] ?? null
}
