import { randomBytes } from 'node:crypto'
import { access, mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { systemClock } from '@bursar/kit/clock.ts'
import pg from 'pg'
import { onExit } from './embedded/exit.ts'
import { livingPostmaster } from './embedded/pidfile.ts'
import { dataFolder, ownFolder, serverAccount } from './embedded/place.ts'
import { birthOf, isAlive } from './embedded/processes.ts'
import { findPrograms } from './embedded/programs.ts'
import { gone, initialise, launch, logTail, serverUser, shutDown, waitUntilReady } from './embedded/server.ts'
import { join, withFolderLock } from './embedded/users.ts'

export type EmbeddedOptions = {
  /** Holds the data (`postgres/`), the password and port (`postgres.json`, 0600) and the server's log. */
  readonly folder: string
  /** Only for the first start; later ones keep the port they have. Left out: a free one is chosen. */
  readonly port?: number
  /** Told in one sentence what was found and done. */
  readonly onLog?: (line: string) => void
  /** Does not wait for the disk: quick, and lost with the machine. For tests only. */
  readonly unsafe?: boolean
}

export type Embedded = {
  readonly url: string
  /** True when the server was running already: left by a killed process, or shared with a living one. */
  readonly adopted: boolean
  /** Leaves the server; the last process to leave turns it off. */
  stop(): Promise<void>
}

const databaseName = 'bursar'
// The backends of a killed server end by themselves, and only then does PostgreSQL let a new one start.
const leftoverWaitMsMax = 10_000
const leftoverPollMs = 100

/**
 * Starts the embedded PostgreSQL of a folder, or joins the one that runs there. Several processes may use one folder
 * at a time; the server lives until the last of them leaves, by stop(), by its end, or by Ctrl-C. After `kill -9` of
 * the last one the server stays, and the next start adopts it.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  await mkdir(options.folder, { recursive: true })
  const folder = await realpath(options.folder)
  const say = options.onLog ?? (() => undefined)
  const { url, adopted, membership, ...first } = await withFolderLock(folder, async () => {
    const started = await startOrAdopt(folder, options, say)
    return { ...started, membership: join(folder) }
  })
  let server = serverOf(first.pid)
  const forget = onExit(() => (membership.leave() && server.lives() ? server.pid : null))
  const leaving = new AbortController()

  const revive = () =>
    withFolderLock(folder, async () => {
      if (leaving.signal.aborted || server.lives()) return
      say(`the server (process ${server.pid}) is gone; starting it again`)
      const again = await startOrAdopt(folder, options, say)
      server = serverOf(again.pid)
      if (again.url !== url) say('the server came back at another address; restart this program')
    })
  const guarding = guard(leaving.signal, () => server.lives(), revive, say)

  let stopped: Promise<void> | null = null
  const stop = async () => {
    leaving.abort()
    await guarding
    await withFolderLock(folder, async () => {
      forget()
      if (membership.leave() && server.lives()) await shutDown(server.pid)
    })
  }
  return {
    url,
    adopted,
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** A server by its process. Process ids are given anew; ours is told by its birth. */
function serverOf(pid: number): { readonly pid: number; lives(): boolean } {
  const birth = birthOf(pid)
  return { pid, lives: () => isAlive(pid) && birthOf(pid) === birth }
}

const guardMs = 500

/** Starts a server that died by itself (killed, out of memory) again, for as long as this process uses it. */
async function guard(
  leaving: AbortSignal,
  lives: () => boolean,
  revive: () => Promise<void>,
  say: (line: string) => void,
): Promise<void> {
  while (!leaving.aborted) {
    await systemClock.sleep(guardMs, leaving)
    if (leaving.aborted || lives()) continue
    try {
      await revive()
    } catch (error) {
      say(`the server could not be started again: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

type Started = { readonly pid: number; readonly url: string; readonly adopted: boolean }

async function startOrAdopt(folder: string, options: EmbeddedOptions, say: (line: string) => void): Promise<Started> {
  const account = await serverAccount()
  const { data, moved } = await dataFolder(folder, account)
  if (moved) say(`PostgreSQL runs as another user that cannot enter ${folder}; its data lies in ${data}`)
  const settings = await readSettings(folder, options.port)

  let living = await livingPostmaster(data)
  if (living?.stopping) {
    say(`waiting for the previous server (process ${living.pid}) to end`)
    await gone(living.pid)
    living = await livingPostmaster(data)
  }
  if (living !== null) {
    const { pid, port } = living
    const url = urlOf(settings.password, port)
    await waitUntilReady({ url: urlOf(settings.password, port, 'postgres'), data, alive: () => true })
    say(`using the server that runs already (process ${pid}, port ${port})`)
    return { pid, url, adopted: true }
  }

  const programs = await findPrograms(account)
  if (!(await exists(path.join(data, 'PG_VERSION')))) {
    say(`making a new database in ${data}`)
    await ownFolder(data, account)
    await initialise(programs, data, account, settings.password)
  }
  const log = path.join(folder, 'postgres.log')
  const url = urlOf(settings.password, settings.port)
  const pid = await launchUntilReady({ programs, data, log, account, ...settings, unsafe: options.unsafe ?? false })
  await ensureDatabase(urlOf(settings.password, settings.port, 'postgres'))
  say(`PostgreSQL is ready (process ${pid}, port ${settings.port})`)
  return { pid, url, adopted: false }
}

async function launchUntilReady(
  options: Parameters<typeof launch>[0] & { readonly password: string },
): Promise<number> {
  for (let waited = 0; ; waited += leftoverPollMs) {
    const child = await launch(options)
    const url = urlOf(options.password, options.port, 'postgres')
    try {
      await waitUntilReady({
        url,
        data: options.data,
        alive: () => child.exitCode === null && child.signalCode === null,
      })
      return child.pid ?? Number.NaN
    } catch (error) {
      if (child.exitCode === null && child.pid !== undefined) await shutDown(child.pid)
      const tail = await logTail(options.log)
      if (!tail.includes('pre-existing shared memory block') || waited > leftoverWaitMsMax) {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`PostgreSQL did not start in ${options.data}: ${why}\n${tail}`, { cause: error })
      }
      await systemClock.sleep(leftoverPollMs)
    }
  }
}

type Settings = { readonly port: number; readonly password: string }

/** The port and password of a folder, made at its first start. */
async function readSettings(folder: string, port: number | undefined): Promise<Settings> {
  const file = path.join(folder, 'postgres.json')
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as { code?: string }).code === 'ENOENT') return null
    throw error
  })
  if (text !== null) {
    const stored = JSON.parse(text) as Settings
    if (await isFree(stored.port)) return stored
    if ((await livingPostmaster((await dataFolder(folder, await serverAccount())).data)) !== null) return stored
    return save(file, { ...stored, port: await freePort() })
  }
  return save(file, { port: port ?? (await freePort()), password: randomBytes(24).toString('base64url') })
}

async function save(file: string, settings: Settings): Promise<Settings> {
  await writeFile(file, `${JSON.stringify(settings)}\n`, { mode: 0o600 })
  return settings
}

const listenOn = (port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })

const freePort = (): Promise<number> => listenOn(0)
const isFree = (port: number): Promise<boolean> =>
  listenOn(port).then(
    () => true,
    () => false,
  )

const urlOf = (password: string, port: number, database = databaseName): string =>
  `postgres://${serverUser}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [databaseName])
    if (rowCount === 0) await client.query(`create database ${databaseName}`)
  } finally {
    await client.end()
  }
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  )
