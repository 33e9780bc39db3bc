import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const startFile = fileURLToPath(new URL('../main/start.ts', import.meta.url))
const readyPattern = /^Bursar is ready(?: at (http:\S+))?/m
const readyMsMax = 60_000

/** The program as a user starts it: another process that knows only its environment. */
export type HubProcess = {
  /** Empty for a worker without a port. */
  readonly url: string
  readonly pid: number
  /** From the start of the process to the ready line. */
  readonly readyMs: number
  /** Resident memory now and at its highest, in MB (Linux only; NaN elsewhere). */
  memory(): Promise<{ readonly now: number; readonly peak: number }>
  /** Time its threads have computed, in ms (Linux only; NaN elsewhere): what a busy machine changes little. */
  computed(): Promise<number>
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<void>
}

// Nothing of the developer's own environment may reach the program under measurement.
const cleanEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TMPDIR: process.env.TMPDIR,
})

export async function startHub(env: Readonly<Record<string, string>>, cwd: string): Promise<HubProcess> {
  const began = performance.now()
  const child = spawn(process.execPath, [startFile], {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const url = await untilReady(child)
  const { pid } = child
  if (pid === undefined) throw new Error('the hub has no process id')
  return {
    url,
    pid,
    readyMs: performance.now() - began,
    memory: () => memoryOf(pid),
    computed: () => computedBy(pid),
    kill: (signal) =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.kill(signal)
      }),
  }
}

function untilReady(child: ChildProcess): Promise<string> {
  let out = ''
  let err = ''
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready in time: ${out}${err}`)), readyMsMax)
    child.stderr?.on('data', (chunk: Buffer) => {
      err = (err + chunk.toString()).slice(-4_000)
    })
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      const match = readyPattern.exec(out)
      if (match === null) return
      clearTimeout(timer)
      resolve(match[1] ?? '')
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`the hub ended with ${code}: ${out}${err}`))
    })
  })
}

async function memoryOf(pid: number): Promise<{ now: number; peak: number }> {
  // Only Linux tells; elsewhere both figures are NaN, and a bench shows that.
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) / 1024
  return { now: read('VmRSS'), peak: read('VmHWM') }
}

// Linux counts in hundredths of a second, whatever its own clock is.
const tickMs = 10

async function computedBy(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The name in the second field may hold spaces; user and system time are the 12th and 13th after it.
  const [user, system] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user ?? Number.NaN) + Number(system ?? Number.NaN)) * tickMs
}

/** A folder that is gone afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bursar-bench-'))
  // As root the database runs as another user; when that one cannot walk in, its data would lie elsewhere and stay.
  await chmod(folder, 0o711)
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
