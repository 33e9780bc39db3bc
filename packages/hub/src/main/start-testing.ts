import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { second, startRealDeadline, systemClock } from '@bursar/kit/clock.ts'

const startFile = fileURLToPath(new URL('./start.ts', import.meta.url))
const commandFile = fileURLToPath(new URL('../../bin/bursar.js', import.meta.url))
// A program that starts twenty times in a test file need not be compiled twenty times.
const compileCache = path.join(tmpdir(), 'bursar-compile-cache')
const readyPattern = /^Bursar is ready(?: at (http:\S+))?/m
const readyMsMax = 30 * second

export type Ended = {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
}

/** The program as a user starts it: another process that knows only its folder and the settings given. */
export type Program = {
  readonly pid: number
  /** Empty for a worker without a port. */
  readonly url: string
  readonly readyMs: number
  readonly ended: Promise<Ended>
  end(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<Ended>
}

type Child = { readonly process: ChildProcess; readonly ended: Promise<Ended>; output(): string }

/** Folders and processes of one test file; `clean` ends and removes all of them. */
export function stage() {
  const children: Child[] = []
  const folders: string[] = []
  const run = (file: string, args: readonly string[], folder: string, env: Readonly<Record<string, string>>): Child => {
    const child = spawn(process.execPath, [file, ...args], {
      cwd: folder,
      // Nothing of the developer's own settings reaches the program.
      env: { PATH: '/usr/bin:/bin', NODE_COMPILE_CACHE: compileCache, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString()
    })
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve({ code, signal, out, err }))
    })
    const made = { process: child, ended, output: () => out + err }
    children.push(made)
    return made
  }
  return {
    /** An empty folder that the embedded server's own user can walk through. */
    folder: async (): Promise<string> => {
      const folder = await mkdtemp(path.join(tmpdir(), 'bursar-start-'))
      await chmod(folder, 0o711)
      folders.push(folder)
      return folder
    },
    /** Starts the hub and waits for its ready line. */
    start: async (folder: string, env: Readonly<Record<string, string>>): Promise<Program> => {
      const began = systemClock.now()
      const child = run(startFile, [], folder, env)
      const url = await untilReady(child)
      return {
        pid: child.process.pid ?? Number.NaN,
        url,
        readyMs: systemClock.now() - began,
        ended: child.ended,
        end: (signal) => {
          child.process.kill(signal)
          return child.ended
        },
      }
    },
    /** Starts the hub where it is expected to give up. */
    refuse: (folder: string, env: Readonly<Record<string, string>>): Promise<Ended> =>
      run(startFile, [], folder, env).ended,
    /** One command of the command line. */
    bursar: (folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
      run(commandFile, args, folder, env).ended,
    clean: async (): Promise<void> => {
      for (const { process: child, ended } of children) {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
        await ended
      }
      for (const folder of folders) {
        await endPostgres(folder)
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}

function untilReady(child: Child): Promise<string> {
  return new Promise((resolve, reject) => {
    const off = startRealDeadline(readyMsMax, () => reject(new Error(`not ready in time: ${child.output()}`)))
    const look = () => {
      const match = readyPattern.exec(child.output())
      if (match === null) return
      off()
      resolve(match[1] ?? '')
    }
    child.process.stdout?.on('data', look)
    void child.ended.then((end) => {
      off()
      reject(new Error(`ended with ${end.code ?? end.signal} before it was ready: ${child.output()}`))
    })
  })
}

/** A server that a killed program left behind, ended by the id in its own file. */
async function endPostgres(folder: string): Promise<void> {
  const pid = await postgresOf(folder)
  if (pid === null) return
  process.kill(pid, 'SIGQUIT')
  while ((await processesOf(folder)).length > 0) await systemClock.sleep(20)
}

/** The embedded server that runs for a folder; null when none does. */
export async function postgresOf(folder: string): Promise<number | null> {
  const file = path.join(folder, '.bursar', 'postgres', 'postmaster.pid')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  const pid = Number(text?.split('\n')[0])
  return text !== null && (await processesOf(folder)).includes(pid) ? pid : null
}

/** Processes with the folder in their command line (Linux). */
export async function processesOf(folder: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const hits = await Promise.all(
    pids.map(async (pid) => {
      // A process may end while we look.
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return line.includes(folder) ? [Number(pid)] : []
    }),
  )
  return hits.flat()
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
