import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '@bursar/kit/clock.ts'
import pg from 'pg'
import type { Account, Programs } from './place.ts'
import { isAlive } from './processes.ts'

const run = promisify(execFile)

export const serverUser = 'bursar'
const pollMs = 15
/** Replaying the log after a crash may take minutes; a server that lives and says so is given them. */
const startWaitMsMax = 300_000
const stopWaitMsMax = 30_000
const logTailBytes = 4_000
// Nothing of the machine's own settings reaches the server.
const environment = { LC_ALL: 'C', TZ: 'UTC' }

/** Makes a new cluster: UTF-8, the built-in C.UTF-8 collation (the same on every system), passwords by SCRAM. */
export async function initialise(programs: Programs, data: string, account: Account | null, password: string) {
  const file = path.join(tmpdir(), `bursar-${randomUUID()}`)
  await writeFile(file, password, { mode: 0o600 })
  try {
    if (account !== null) await chown(file, account.uid, account.gid)
    await run(
      programs.initdb,
      [
        ...['-D', data, '-U', serverUser, '--pwfile', file, '--auth', 'scram-sha-256'],
        ...['--encoding', 'UTF8', '--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
        // Saves 0.5 s. The server's own first checkpoint syncs what it writes; an empty cluster can be made again.
        '--no-sync',
      ],
      { cwd: '/', env: environment, ...account },
    )
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    throw new Error(`could not make the database in ${data}: ${stderr?.trim() || message}`, { cause: error })
  } finally {
    await rm(file, { force: true })
  }
}

// Nothing here outlives the machine, and copying a template writes its whole content into the log.
const unsafeSettings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '4GB',
  checkpoint_timeout: '1h',
}

const settings = (options: { port: number; unsafe: boolean }): Record<string, string> => ({
  port: String(options.port),
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  cluster_name: 'bursar',
  max_connections: '200',
  shared_buffers: '128MB',
  // Short statements only: compiling them costs more than it saves.
  jit: 'off',
  // Fresh tables have no statistics, and prepared statements keep the plan they got then. A minute, the default, is
  // long for somebody's first purchases.
  autovacuum_naptime: '5s',
  // Disks that do not turn: an index look-up costs about what a page in a row does.
  random_page_cost: '1.1',
  // Errors reach the client; the file would only repeat them, and with them people's data.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  ...(options.unsafe ? unsafeSettings : {}),
})

/**
 * Starts the server in a session of its own, so that Ctrl-C reaches only us and we turn it off when our work is done.
 * Its messages go to a file: a pipe would break when we die and the server lives on.
 */
export async function launch(options: {
  programs: Programs
  data: string
  log: string
  port: number
  unsafe: boolean
  account: Account | null
}): Promise<ChildProcess> {
  const log = await open(options.log, 'w', 0o600)
  try {
    const flags = Object.entries(settings(options)).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(options.programs.postgres, ['-D', options.data, ...flags], {
      ...options.account,
      cwd: '/',
      env: environment,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
    return child
  } finally {
    await log.close()
  }
}

export const logTail = async (log: string): Promise<string> =>
  (await readFile(log, 'utf8').catch((error: Error) => `(no log: ${error.message})`)).slice(-logTailBytes).trim()

/** Waits until a statement is answered by the server of this very data folder; says why when that cannot be. */
export async function waitUntilReady(options: { url: string; data: string; alive: () => boolean }): Promise<void> {
  for (let waited = 0; ; waited += pollMs) {
    const error = await probe(options.url, options.data)
    if (error === null) return
    if (!options.alive()) throw new Error('the server ended while starting', { cause: error })
    if (waited > startWaitMsMax || !passing.has(codeOf(error))) throw error
    await systemClock.sleep(pollMs)
  }
}

// Not listening yet · starting up or recovering · too early for the connection to be read to its end.
const passing = new Set(['ECONNREFUSED', '57P03', 'ECONNRESET'])
const codeOf = (error: Error): string => (error as { code?: string }).code ?? ''

async function probe(url: string, data: string): Promise<Error | null> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined) // The same error rejects connect() or query(), which is where it is read.
  try {
    await client.connect()
    const { rows } = await client.query<{ data_directory: string }>('show data_directory')
    const at = rows[0]?.data_directory
    return at === data ? null : new Error(`the server on this port serves ${at}, not ${data}`)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  } finally {
    await client.end().catch(() => undefined) // The connection is of no more use; a failure above was returned.
  }
}

/** Turns the server off: sessions are ended, the data is written ("fast shutdown"). Waits until the process is gone. */
export async function shutDown(pid: number): Promise<void> {
  signal(pid, 'SIGINT')
  if (await gone(pid)) return
  // Still there: leave the data to recovery at the next start rather than leave a server behind.
  signal(pid, 'SIGQUIT')
  if (!(await gone(pid))) throw new Error(`PostgreSQL (process ${pid}) does not stop`)
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ESRCH') throw error // Gone already is what we wanted.
  }
}

export async function gone(pid: number): Promise<boolean> {
  for (let waited = 0; waited < stopWaitMsMax; waited += pollMs) {
    if (!isAlive(pid)) return true
    await systemClock.sleep(pollMs)
  }
  return false
}
