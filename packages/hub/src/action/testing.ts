import { type VirtualClock, virtualClock } from '@bursar/kit/clock.ts'
import { createIds, type Id } from '@bursar/kit/ids.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { createDatabase } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { type TestDatabase, testDatabase } from '#db/testing.ts'
import type { App, Log } from './context.ts'

export type LogLine = {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** A log that a test can read. */
export function collectingLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const at =
    (level: LogLine['level']) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) =>
      void lines.push({ level, message, facts })
  return { lines, info: at('info'), warn: at('warn'), error: at('error') }
}

export type TestApp = {
  readonly app: App
  readonly clock: VirtualClock
  readonly log: ReturnType<typeof collectingLog>
  readonly database: TestDatabase
  organization(name: string): Promise<Id<'org'>>
  /** Counts rows over all tenants, or reads whatever a test must see. */
  rows<Row>(text: string): Promise<Row[]>
  close(): Promise<void>
}

/** A process without the outside world: real database, time that stands still, and HTTP that refuses. */
export async function testApp(overrides: Partial<App> = {}): Promise<TestApp> {
  const database = await testDatabase()
  const clock = virtualClock()
  const ids = createIds({ clock, random: secureRandom })
  const log = collectingLog()
  const db = createDatabase({ url: database.url, clock, max: 10 })
  const app: App = {
    clock,
    ids,
    db,
    log,
    random: secureRandom,
    http: async () => {
      throw new Error('no outbound call is expected in this test')
    },
    secrets: {
      seal: (plain) => Buffer.from(plain),
      open: (sealed) => sealed.toString(),
    },
    node: 'test',
    publicUrl: 'http://127.0.0.1',
    demo: true,
    tokens: { get: () => undefined, set: () => undefined },
    budgetWaitMs: 0,
    ...overrides,
  }
  return {
    app,
    clock,
    log,
    database,
    organization: async (name) => {
      const id = ids.next('org')
      await db.tx('system', (tx) =>
        tx.run(sql('test_organization')`
          insert into organization (id, name, slug, created_at)
          values (${id}, ${name}, ${name.toLowerCase()}, ${ts(tx.now)})`),
      )
      return id
    },
    rows: <Row>(text: string) => db.direct<Row>({ name: '', text, values: [] }),
    close: async () => {
      await db.close()
      await database.drop()
    },
  }
}
