import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { second } from '@bursar/kit/clock.ts'
import type { App, Log } from '#action/context.ts'
import { startEmbedded } from '#db/embedded.ts'
import { migrate } from '#db/migrate.ts'
import { preparePayloadDays } from '#events/retention.ts'
import { mailRoute } from '#mail/port.ts'
import { buildApp, buildDoor, buildRegistry, buildWorker } from './build.ts'
import type { Config } from './config.ts'
import { type Demo, startDemo } from './demo.ts'
import { buildIdentity, signInSecret } from './identity.ts'
import { checkKey, masterKey, secretsOf, writeRunFile } from './installation.ts'
import { createLog } from './log.ts'
import { prepareSchedules } from './schedules.ts'
import { applySeed, readSeed, type Seed, seedFromEnvironment, seedOrigins } from './seed.ts'
import { listed } from './settings.ts'

export type Running = {
  /** Where HTTP is answered; null for a worker without a port. */
  readonly url: string | null
  readonly app: App
  readonly databaseUrl: string
  readonly demo: Demo | null
  /** Finishes what runs, at most fifteen seconds, then closes everything. Twice is once. */
  stop(): Promise<void>
}

const portDefault = 8787
const stopGraceMs = 15 * second

/** Things to close, in the order they were opened; closed in the reverse. */
type Closers = { add(name: string, close: () => Promise<unknown>): void; all(): Promise<void> }

function closersOf(log: Log): Closers {
  const opened: { name: string; close: () => Promise<unknown> }[] = []
  let closing: Promise<void> | null = null
  const run = async () => {
    for (const { name, close } of opened.reverse()) {
      try {
        await close()
      } catch (error) {
        log.error('could not be closed', { what: name, error })
      }
    }
  }
  return {
    add: (name, close) => void opened.push({ name, close }),
    all: () => {
      closing ??= run()
      return closing
    },
  }
}

/** Starts the whole program for one configuration. On failure everything opened so far is closed again. */
export async function serve(config: Config): Promise<Running> {
  const log = createLog(config.logLevel === 'auto' ? (config.demo ? 'warn' : 'info') : config.logLevel)
  const closers = closersOf(log)
  try {
    return await open(config, log, closers)
  } catch (error) {
    await closers.all()
    throw error
  }
}

async function open(config: Config, log: Log, closers: Closers): Promise<Running> {
  const folder = path.resolve(config.dataFolder)
  await mkdir(folder, { recursive: true })
  const databaseUrl = config.databaseUrl ?? (await embedded(folder, log, closers))
  await migrate(databaseUrl)
  const seed = config.seed === null ? seedFromEnvironment(config) : await readSeed(config.seed)
  const key = await masterKey(config.secret, folder)
  const secrets = secretsOf(key)
  const node = `${hostname()}-${process.pid}`
  const demo = config.demo && config.role !== 'worker' ? await startDemo(folder, log) : null
  if (demo !== null) closers.add('simulators', demo.stop)
  let reachedAt = config.publicUrl ?? addressOf(config)
  const { app, http } = buildApp({
    config,
    databaseUrl,
    secrets,
    log,
    node,
    publicUrl: () => reachedAt,
    trustedOrigins: [...seedOrigins(seed), ...listed(config.trustedOrigins)],
  })
  closers.add('http client', () => http.close())
  closers.add('database pools', () => app.db.close())
  const { mailer } = app
  if (mailer !== undefined) closers.add('mail server', () => mailer.close())
  if (mailRoute(app) === 'none')
    log.warn('no mail can be sent: BURSAR_SMTP_URL is not set. Codes, receipts and notices wait; nothing is lost.')
  await checkKey(app)
  await prepare(app, seed, demo)
  const registry = buildRegistry()
  const identity = buildIdentity(app, { databaseUrl, secret: signInSecret(key), scopes: registry.scopes })
  closers.add('identity provider', () => identity.close())
  const listening = await listen(
    config,
    app,
    { registry, identity, demo, trustProxy: listed(config.trustProxy) },
    closers,
  )
  if (listening !== null) reachedAt = config.publicUrl ?? listening.url
  if (config.role !== 'web') {
    const worker = await buildWorker(app, databaseUrl, {
      concurrency: config.concurrency,
      payloadDays: config.payloadDays,
      sweepIdentity: identity.sweep,
    })
    closers.add('worker', () => worker.stop({ graceMs: stopGraceMs }))
  }
  if (listening === null) return { url: null, app, databaseUrl, demo, stop: () => closers.all() }
  // Added last, so done first: jobs may run on for seconds, and nobody new should come meanwhile.
  closers.add('readiness', async () => listening.retire())
  await finish(app, folder, listening.url, demo)
  return { url: listening.url, app, databaseUrl, demo, stop: () => closers.all() }
}

async function embedded(folder: string, log: Log, closers: Closers): Promise<string> {
  const started = await startEmbedded({ folder, onLog: (line) => log.info('embedded PostgreSQL', { line }) })
  closers.add('embedded PostgreSQL', () => started.stop())
  return started.url
}

/** Everything in the database that a process needs before it works; safe in many processes at once. */
async function prepare(app: App, seed: Seed | null, demo: Demo | null): Promise<void> {
  await preparePayloadDays(app)
  await prepareSchedules(app)
  if (seed !== null) await applySeed(app, seed)
  if (demo !== null) await applySeed(app, demo.seed)
}

const hostOf = (config: Config): string => config.host ?? (config.demo ? '127.0.0.1' : '0.0.0.0')
const portOf = (config: Config): number => (config.port === null ? portDefault : Number(config.port))
const addressOf = (config: Config): string =>
  `http://${hostOf(config) === '0.0.0.0' ? '127.0.0.1' : hostOf(config)}:${portOf(config)}`

type Listening = { readonly url: string; retire(): void }

async function listen(
  config: Config,
  app: App,
  parts: Parameters<typeof buildDoor>[1],
  closers: Closers,
): Promise<Listening | null> {
  if (config.role === 'worker' && config.port === null) return null
  const door = await buildDoor(app, parts)
  // The intake outlives the door: what was accepted is written before the pools close.
  closers.add('intake', () => door.intake.drain())
  closers.add('HTTP', () => door.server.stop())
  const at = { host: hostOf(config), port: portOf(config) }
  const address = await door.server.listen(at).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new Error(
      `another program answers on port ${at.port} of ${at.host} already. Stop it, or choose another port with PORT.`,
    )
  })
  return { url: address.replace('//0.0.0.0:', '//127.0.0.1:'), retire: door.retire }
}

/** What only makes sense once the address is known. */
async function finish(app: App, folder: string, url: string, demo: Demo | null): Promise<void> {
  const [first] = await app.db.tx('system', (tx) =>
    tx.many<{ id: string }>({
      name: 'first_organization',
      text: 'select id from organization order by created_at, id limit 1',
      values: [],
    }),
  )
  if (first !== undefined) await writeRunFile(app, folder, url, first.id)
  demo?.pointAt(url)
}
