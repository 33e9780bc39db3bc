import { randomBytes } from 'node:crypto'
import type { Ada } from './idor-ada-testing.ts'
import { type Doors, dump, type Told } from './idor-testing.ts'

// An id may follow `%2F`, whose last letter is none of it.
const idPattern = /(?<![a-z0-9])[a-z]{3,4}_[0-9a-hjkmnp-tv-z]{26}(?![a-z0-9])/g
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

const idsIn = (text: string): readonly string[] => text.match(idPattern) ?? []

/** Another id of the same kind, which nobody has. */
const otherId = (id: string): string =>
  `${id.slice(0, id.indexOf('_') + 1)}${[...randomBytes(26)].map((byte) => alphabet[byte % 32]).join('')}`

/** The same request about things that do not exist. */
export function missing(text: string, ada: Ada): string {
  const known = new Map<string, string>()
  const strings: readonly (readonly [string, string])[] = [
    ...ada.addresses.map((address, i) => [address, `nobody${i}@nowhere.example`] as const),
    [ada.price, 'price_missing'],
    [ada.session, 'cs_test_missing'],
    [ada.payment, 'pi_missing'],
    ...Object.values({ ...ada.secrets, ...ada.links, own: ada.ownToken }).map(
      (secret) => [secret, randomBytes(32).toString('base64url')] as const,
    ),
  ]
  const replaced = strings.reduce((all, [from, to]) => all.replaceAll(from, to), text)
  return replaced.replace(idPattern, (id) => {
    const other = known.get(id) ?? otherId(id)
    known.set(id, other)
    return other
  })
}

/** An answer without what differs between any two: ids, addresses, moments, secrets. */
export const leveled = (told: Told): string =>
  `${told.status} ${told.text}`
    .replace(/<style>[^<]*<\/style>/, '')
    .replace(idPattern, '#')
    .replace(/[\w.*+-]+@[\w.-]+/g, '@')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T')
    .replace(/(price|cs_test|pi)_\w+/g, '#')
    .replace(/[\w-]{43}/g, 'S')
    .replace(/bsk_\w+/g, 'K')

/** The fields of an answer, whatever they hold: for what was done, and done to nothing of Ada's. */
export const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shapeOf(child)]))
}

export type Guarded = {
  /** What of Ada's stands in an answer and did not stand in the question. */
  leaks(told: Told, question: string): readonly string[]
  /** Ada's rows, and everything of her organization, as they are now. */
  rows(): Promise<ReadonlyMap<string, readonly string[]>>
}

// What everybody may learn of an organization whose shop they stand in: its catalog.
const ofTheShop = new Set(['org', 'con', 'crs', 'prd', 'iss', 'prv_'])
// Logs of what was asked, by whomever; and counters.
const besides = new Set([
  'audit',
  'idempotency_key',
  'auth.attempt',
  'auth.verification',
  'mail_message',
  'rate_budget',
])

/**
 * What somebody may neither see nor change. `neighbour`: of the same organization, who may know its catalog; else not
 * even that.
 */
export async function guardOf(d: Doors, ada: Ada, who: 'neighbour' | 'outsider'): Promise<Guarded> {
  const all = await dump(d.world)
  const others = [ada.eve, ada.zoe, ada.mallory]
  const seeds = [
    ada.ada.personId,
    ...Object.values(ada.orders),
    ...ada.addresses,
    ada.one.user,
    ada.one.enrollment,
    ada.one.case,
  ]
  const ofHers = (row: string) => seeds.some((seed) => row.includes(seed))
  const ofOthers = (row: string) => others.some((one) => row.includes(one.personId) || row.includes(one.email))
  const hers = [...all.values()]
    .flat()
    .filter((row) => (who === 'outsider' ? row.includes(d.organizationA) || ofHers(row) : ofHers(row)))
  const ids = new Set(hers.flatMap(idsIn))
  for (const row of [...all.values()].flat())
    if (who === 'neighbour' ? ofOthers(row) && !ofHers(row) : row.includes(d.organizationB))
      for (const id of idsIn(row)) ids.delete(id)
  for (const id of ids) if (who === 'neighbour' && ofTheShop.has(id.split('_')[0] ?? '')) ids.delete(id)
  ids.delete(d.organizationA)
  const secrets = [
    ...Object.values(ada.secrets),
    ...Object.values(ada.links),
    ada.ownToken,
    ada.ada.token,
    ada.annToken,
  ]
  const marks = [...ids, ...ada.addresses, ...secrets]
  return {
    leaks: (told, question) => {
      const text = told.text + JSON.stringify(told.headers)
      return marks.filter(
        (mark) => text.includes(mark) && !question.includes(mark) && !question.includes(encodeURIComponent(mark)),
      )
    },
    rows: async () => {
      const now = await dump(d.world)
      const kept = (row: string) => (row.includes(d.organizationA) || ofHers(row)) && !row.includes(d.organizationB)
      const aside = (row: string) => who === 'neighbour' && !ofHers(row)
      return new Map(
        [...now]
          .filter(([name]) => !besides.has(name))
          .map(([name, rows]) => [name, rows.filter((row) => kept(row) && !aside(row))]),
      )
    },
  }
}

/** What changed between two looks, as lines. */
export const changes = (
  before: ReadonlyMap<string, readonly string[]>,
  after: ReadonlyMap<string, readonly string[]>,
): readonly string[] =>
  [...after].flatMap(([name, rows]) => {
    const was = before.get(name) ?? []
    return [
      ...was.filter((row) => !rows.includes(row)).map((row) => `${name} - ${row.slice(0, 400)}`),
      ...rows.filter((row) => !was.includes(row)).map((row) => `${name} + ${row.slice(0, 400)}`),
    ]
  })
