import type { AddressInfo } from 'node:net'
import { Worker } from 'node:worker_threads'
import { createStripe } from '@bursar/connectors/payments/stripe/index.ts'
import { systemClock } from '@bursar/kit/clock.ts'
import { createIds } from '@bursar/kit/ids.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import fastify from 'fastify'
import type pg from 'pg'
import type { Log } from '#action/context.ts'
import { createDatabase, createPool, type Database } from '#db/database.ts'
import { startEmbedded } from '#db/embedded.ts'
import { migrate } from '#db/migrate.ts'
import type { Statement } from '#db/sql.ts'
import { stripeWebhookRoutes, webhookRoutes } from '#events/intake-routes.ts'
import { createIntake } from '#events/receive.ts'
import { type NewEvent, storeBatch } from '#events/store.ts'
import { type BenchOptions, type Figure, median, quantile, rounded } from './figure.ts'
import { inFolder } from './hub-process.ts'
import { type LoadOrder, type LoadReport, makeBody } from './ingest-load.ts'

const secret = 'whsec_bench_bench_bench_bench_bench'
const bodyBytes = 2_048
const batch = 256
const statementsInFlight = 2
const connections = 256
const acceptsInFlight = 1_024
// More than any measured rate, so that the sender never runs dry.
const eventsPerSecondMax = 40_000
const goalShare = 0.8
const goalP99Ms = 50

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const clock = systemClock
const ids = createIds({ clock, random: secureRandom })

type Bench = {
  readonly db: Database
  readonly pool: pg.Pool
  readonly organization: string
  readonly connection: string
}

const newEvent = (bench: Bench, body: Buffer): NewEvent => {
  const id = ids.next('evt')
  return {
    id,
    organization: bench.organization,
    connection: bench.connection,
    source: `stripe:${bench.connection}:live`,
    externalId: id,
    type: 'customer.created',
    form: 'snapshot',
    livemode: true,
    account: null,
    apiVersion: '2026-10-28.endive',
    occurredAt: 1_767_603_600_000,
    headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': `t=1,v1=${'0'.repeat(64)}` },
    body,
    traceId: id,
    deliveries: 1,
  }
}

/** Every measurement starts with empty tables: the second must not pay for the rows of the first. */
const empty = async ({ pool }: Bench): Promise<void> => {
  await pool.query('truncate inbound_event, inbound_payload, graphile_worker._private_jobs')
  await pool.query('checkpoint')
}

const perSecond = (count: number, startedAt: number): number => (count / (performance.now() - startedAt)) * 1000

/** Statements ready to send that differ in their ids alone: building rows is not what the limit is about. */
function prepared(bench: Bench, body: Buffer, count: number): Statement[] {
  const rows = Array.from({ length: batch }, () => newEvent(bench, body))
  const { name, text, values } = storeBatch(rows, clock.now())
  const carriesId = (value: unknown) => Array.isArray(value) && value[0] === rows[0]?.id
  return Array.from({ length: count }, () => {
    const fresh = rows.map(() => ids.next('evt'))
    return { name, text, values: values.map((value) => (carriesId(value) ? fresh : value)) }
  })
}

/** The limit: the same statement with the same rows, 256 at a time, as fast as a loop can send it. */
async function tightLoop(bench: Bench, seconds: number): Promise<number> {
  await empty(bench)
  const body = makeBody('evt_bench', bodyBytes)
  const batches = prepared(bench, body, Math.ceil((eventsPerSecondMax * seconds) / batch))
  const startedAt = performance.now()
  const endAt = startedAt + seconds * 1000
  let stored = 0
  let next = 0
  const lane = async () => {
    while (performance.now() < endAt) {
      // In the order of their ids, as the batcher sends them: indexes grow at their right edge.
      const statement = batches[next++]
      if (statement === undefined) throw new Error('more statements were sent than prepared')
      await bench.db.direct(statement)
      stored += batch
    }
  }
  await Promise.all(Array.from({ length: statementsInFlight }, lane))
  return perSecond(stored, startedAt)
}

/** The batcher alone: single deliveries in, without HTTP and signatures. */
async function intakeOnly(bench: Bench, seconds: number): Promise<number> {
  await empty(bench)
  const intake = createIntake({ clock, ids, db: bench.db, log: silent })
  const body = makeBody('evt_bench', bodyBytes)
  const startedAt = performance.now()
  const endAt = startedAt + seconds * 1000
  let stored = 0
  const lane = async () => {
    while (performance.now() < endAt) {
      await intake.accept(newEvent(bench, body))
      stored += 1
    }
  }
  await Promise.all(Array.from({ length: acceptsInFlight }, lane))
  return perSecond(stored, startedAt)
}

/** Single deliveries at a steady rate, whatever the answers do: milliseconds from the moment each was due. */
async function intakeAtRate(bench: Bench, seconds: number, rate: number): Promise<number[]> {
  await empty(bench)
  const intake = createIntake({ clock, ids, db: bench.db, log: silent })
  const body = makeBody('evt_bench', bodyBytes)
  const startedAt = performance.now()
  const latencies: number[] = []
  const waiting: Promise<void>[] = []
  for (let sent = 0; performance.now() < startedAt + seconds * 1000; await clock.sleep(1)) {
    const shouldBe = Math.floor(((performance.now() - startedAt) / 1000) * rate)
    for (; sent < shouldBe; sent++) {
      const dueAt = startedAt + (sent / rate) * 1000
      waiting.push(intake.accept(newEvent(bench, body)).then(() => void latencies.push(performance.now() - dueAt)))
    }
  }
  await Promise.all(waiting)
  return latencies
}

const load = (order: LoadOrder): Promise<LoadReport> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./ingest-load.ts', import.meta.url), { workerData: order })
    worker.once('message', (report: LoadReport) => resolve(report))
    worker.once('error', reject)
  })

/** The whole door: HTTP, signature over the raw bytes, stored, answered. */
async function throughTheDoor(bench: Bench, seconds: number, rate: number | null): Promise<LoadReport> {
  await empty(bench)
  const stripe = createStripe({ secretKey: null }, { http: neverCalled, clock, random: secureRandom })
  const endpoint = {
    organization: bench.organization,
    connection: bench.connection,
    source: `stripe:${bench.connection}`,
    livemode: true,
    secrets: [{ id: 'sec_bench', secret, validFrom: 0, validUntil: null }],
    verify: stripe.verify,
  }
  const app = { clock, ids, db: bench.db, log: silent }
  const server = fastify()
  const routes = stripeWebhookRoutes(clock, async () => endpoint)
  await server.register(webhookRoutes({ app, intake: createIntake(app), routes }))
  await server.listen({ port: 0, host: '127.0.0.1' })
  try {
    const { port } = server.server.address() as AddressInfo
    const events = Math.ceil((rate ?? eventsPerSecondMax) * seconds) + connections
    const order = { port, path: '/api/stripe/webhook', secret, run: ids.next('run'), bodyBytes, connections }
    const report = await load({ ...order, seconds, perSecond: rate, events })
    if (report.failed > 0) throw new Error(`${report.failed} deliveries were refused`)
    return report
  } finally {
    await server.close()
  }
}

const neverCalled = async (): Promise<never> => {
  throw new Error('verification calls nobody')
}

type Round = { limit: number; intake: number; door: number; intakeP99: number; doorP50: number; doorP99: number }

async function measure(bench: Bench, seconds: number): Promise<Round> {
  const limit = await tightLoop(bench, seconds)
  const intake = await intakeOnly(bench, seconds)
  const intakeLatencies = await intakeAtRate(bench, seconds, limit / 2)
  const full = await throughTheDoor(bench, seconds, null)
  const door = (full.answered / full.elapsedMs) * 1000
  const half = [...(await throughTheDoor(bench, seconds, door / 2)).latencies]
  return {
    limit,
    intake,
    door,
    intakeP99: quantile(intakeLatencies, 0.99),
    doorP50: quantile(half, 0.5),
    doorP99: quantile(half, 0.99),
  }
}

function figures(rounds: readonly Round[]): Figure[] {
  const of = (key: keyof Round) => median(rounds.map((r) => r[key]))
  const rate = (figure: string, key: 'intake' | 'door'): Figure => {
    const ratio = median(rounds.map((r) => r[key] / r.limit))
    return {
      bench: 'ingest',
      figure,
      value: rounded(of(key)),
      unit: 'events/s',
      limit: rounded(of('limit')),
      ratio: rounded(ratio),
      goal: `≥ ${goalShare} × the same statement, batched, in a tight loop`,
      holds: ratio >= goalShare,
    }
  }
  const latency = (figure: string, key: 'intakeP99' | 'doorP50' | 'doorP99'): Figure => ({
    bench: 'ingest',
    figure,
    value: rounded(of(key)),
    unit: 'ms',
    limit: goalP99Ms,
    ratio: rounded(of(key) / goalP99Ms),
    goal: `< ${goalP99Ms} ms`,
    holds: of(key) < goalP99Ms,
  })
  return [
    rate('stored, single deliveries into the batcher', 'intake'),
    latency('stored, at half of the batched rate, p99', 'intakeP99'),
    rate('answered over HTTP, 2 KB signed, the sender on the same two cores', 'door'),
    latency('answered over HTTP, at half of its own rate, p50', 'doorP50'),
    latency('answered over HTTP, at half of its own rate, p99', 'doorP99'),
  ]
}

/** P2: how close the door comes to what the database takes, on a cluster of its own that waits for its disk. */
export const benchIngest = (options: BenchOptions): Promise<Figure[]> =>
  inFolder(async (folder) => {
    const cluster = await startEmbedded({ folder })
    try {
      await migrate(cluster.url)
      const db = createDatabase({ url: cluster.url, clock })
      const pool = createPool({ url: cluster.url, role: null, max: 1 })
      const bench: Bench = { db, pool, organization: ids.next('org'), connection: ids.next('con') }
      const rounds: Round[] = []
      // The first round warms plans and caches and is not counted.
      await measure(bench, 1)
      for (let n = 0; n < options.rounds; n++) rounds.push(await measure(bench, options.seconds))
      await Promise.all([db.close(), pool.end()])
      return figures(rounds)
    } finally {
      await cluster.stop()
    }
  })
