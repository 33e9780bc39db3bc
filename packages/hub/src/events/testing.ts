import { type VirtualClock, virtualClock } from '@bursar/kit/clock.ts'
import { createIds, type Ids } from '@bursar/kit/ids.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { createSecretBox } from '@bursar/kit/secretbox.ts'
import type pg from 'pg'
import type { App } from '#action/context.ts'
import { createDatabase, createPool } from '#db/database.ts'
import { testDatabase } from '#db/testing.ts'
import type { Endpoint, EndpointLookup } from './endpoint.ts'
import { type Delivery, inboundTask } from './store.ts'

/** A hub without doors, for the tests of this slice: a database of its own, two tenants, a clock that stands still. */
export type Ground = {
  readonly app: App
  readonly clock: VirtualClock
  readonly ids: Ids
  /** The tables' owner, to look behind the rules. */
  readonly pool: pg.Pool
  readonly organization: string
  readonly other: string
  readonly connection: string
  readonly logged: { level: string; message: string; facts: unknown }[]
  rows<Row>(text: string, values?: unknown[]): Promise<Row[]>
  /** Stores a webhook secret of the connection, sealed. */
  addSecret(secret: string, validFrom: number, validUntil?: number): Promise<string>
  /** Reads the connection and its secrets as the catalogue does. */
  lookup(verify: Endpoint['verify'], livemode?: boolean | null): EndpointLookup
  jobs(): Promise<{ key: string | null; payload: unknown; run_at: number }[]>
  clear(): Promise<void>
  close(): Promise<void>
}

async function addTenant(pool: pg.Pool, ids: Ids, slug: string): Promise<string> {
  const id = ids.next('org')
  await pool.query('insert into organization (id, name, slug, created_at) values ($1, $2, $2, now())', [id, slug])
  return id
}

async function addConnection(pool: pg.Pool, ids: Ids, organization: string): Promise<string> {
  const id = ids.next('con')
  await pool.query(
    `insert into connection (id, organization_id, category, platform, name, config, created_at, updated_at)
     values ($1, $2, 'payment', 'stripe', 'main', '{}', now(), now())`,
    [id, organization],
  )
  return id
}

/** An app that calls nobody and keeps what it was told to log. */
function quietApp(url: string, clock: VirtualClock): { app: App; logged: Ground['logged'] } {
  const random = seededRandom(7)
  const logged: Ground['logged'] = []
  const say = (level: string) => (message: string, facts?: unknown) => void logged.push({ level, message, facts })
  const app: App = {
    clock,
    random,
    ids: createIds({ clock, random }),
    db: createDatabase({ url, clock }),
    http: async () => {
      throw new Error('these tests call nobody')
    },
    secrets: createSecretBox([{ id: 'k1', key: Buffer.alloc(32, 7) }]),
    log: { info: say('info'), warn: say('warn'), error: say('error') },
    node: 'node_test',
    publicUrl: 'https://hub.example',
    demo: false,
    tokens: { get: () => undefined, set: () => undefined },
    budgetWaitMs: 0,
  }
  return { app, logged }
}

type Where = { readonly organization: string; readonly connection: string }

const secretAdder =
  (app: App, pool: pg.Pool, { organization, connection }: Where): Ground['addSecret'] =>
  async (secret, validFrom, validUntil) => {
    const id = app.ids.next('sec')
    await pool.query(
      `insert into connection_secret (id, organization_id, connection_id, sealed, valid_from, valid_until, created_at)
       values ($1, $2, $3, $4, to_timestamp($5), to_timestamp($6), now())`,
      [
        id,
        organization,
        connection,
        app.secrets.seal(secret, id),
        validFrom / 1000,
        validUntil === undefined ? null : validUntil / 1000,
      ],
    )
    return id
  }

const endpointLookup =
  (app: App, rows: Ground['rows'], { organization, connection }: Where): Ground['lookup'] =>
  (verify, livemode = null) =>
  async (id) => {
    if (id !== null && id !== connection) return null
    const found = await rows<{ id: string; sealed: Buffer; valid_from: number; valid_until: number | null }>(
      'select id, sealed, valid_from, valid_until from connection_secret order by id',
    )
    return {
      organization,
      connection,
      source: `stripe:${connection}`,
      livemode,
      secrets: found.map((s) => ({
        id: s.id,
        secret: app.secrets.open(s.sealed, s.id),
        validFrom: s.valid_from,
        validUntil: s.valid_until,
      })),
      verify,
    }
  }

export async function createGround(): Promise<Ground> {
  const place = await testDatabase()
  const clock = virtualClock()
  const { app, logged } = quietApp(place.url, clock)
  const { ids } = app
  const pool = createPool({ url: place.url, role: null, max: 3 })
  const rows = async <Row>(text: string, values: unknown[] = []) =>
    (await pool.query(text, values)).rows as unknown as Row[]
  const organization = await addTenant(pool, ids, 'one')
  const connection = await addConnection(pool, ids, organization)
  const other = await addTenant(pool, ids, 'two')
  return {
    app,
    clock,
    ids,
    pool,
    organization,
    other,
    connection,
    logged,
    rows,
    addSecret: secretAdder(app, pool, { organization, connection }),
    lookup: endpointLookup(app, rows, { organization, connection }),
    jobs: () =>
      rows(
        `select j.key, j.payload, j.run_at from graphile_worker._private_jobs j
         join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = $1 order by j.key`,
        [inboundTask],
      ),
    clear: async () => {
      logged.length = 0
      await pool.query('truncate inbound_event, inbound_payload, connection_secret')
      await pool.query('delete from graphile_worker._private_jobs')
    },
    close: async () => {
      await Promise.all([app.db.close(), pool.end()])
      await place.drop()
    },
  }
}

/** One delivery as the door would hand it on. */
export const delivery = (
  ground: Pick<Ground, 'organization' | 'connection' | 'clock'>,
  externalId: string,
  more: Partial<Delivery> = {},
): Delivery => ({
  organization: ground.organization,
  connection: ground.connection,
  source: `stripe:${ground.connection}:live`,
  externalId,
  type: 'checkout.session.completed',
  form: 'snapshot',
  livemode: true,
  account: null,
  apiVersion: '2026-10-28.endive',
  occurredAt: ground.clock.now(),
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ id: externalId })),
  traceId: 'trc_0',
  ...more,
})
