import { createHash } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { type Clock, second } from '@bursar/kit/clock.ts'
import type { Log } from '#action/context.ts'
import { birthOf, isAlive } from '#db/embedded/processes.ts'

/** What the demo's simulators know, as it lies in the data folder. */
export type DemoMemory = {
  readonly format: 'Bursar demo, 1'
  readonly ports: { readonly stripe: number; readonly school: number; readonly shop?: number }
  readonly stripe: Buffer
  readonly school: Buffer
  /** The price id of each item on the shelf, so that yesterday's links stay good. */
  readonly shelf: ReadonlyMap<string, string>
}

const memoryFile = 'simulators.bin'
const lockFile = 'simulators.lock'
const checkBytes = 32

const checkOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** The memory of the last run; null at the first start, and with a warning when the file is no use any more. */
export async function readMemory(folder: string, log: Log): Promise<DemoMemory | null> {
  const file = path.join(folder, memoryFile)
  try {
    const bytes = await readFile(file)
    const content = bytes.subarray(checkBytes)
    if (!checkOf(content).equals(bytes.subarray(0, checkBytes))) throw new Error('it is damaged')
    const memory = deserialize(content) as DemoMemory
    if (memory.format !== 'Bursar demo, 1') throw new Error('another version wrote it')
    return memory
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    warnForgotten(log, file, error)
    return null
  }
}

/** The one warning of a demo school that begins anew. */
export const warnForgotten = (log: Log, file: string, error: unknown): void =>
  log.warn('the demo school begins anew: its memory cannot be used', { file, error })

/** Whole or not at all: a killed program leaves the old file or the new one. */
export async function writeMemory(folder: string, memory: DemoMemory): Promise<void> {
  const content = serialize(memory)
  const file = path.join(folder, memoryFile)
  await writeFile(`${file}.new`, Buffer.concat([checkOf(content), content]), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

export type Keeper = {
  /** Writes what changed last and ends. */
  stop(): Promise<void>
}

// A killed program forgets at most so much: the hub may know more of a learner than the school then.
const pauseMsMin = second / 20
// Of a large school a copy takes long; nine tenths of the time stay for the demo itself.
const pausePerWriteMs = 9
// A machine that slept in the middle of a write seems to have written for hours.
const pauseMsMax = 10 * second

/** Writes the memory soon after every change, until it is stopped. A disk that fails is told once, then tried again. */
export function keepMemory(options: {
  readonly clock: Clock
  readonly log: Log
  /** Differs from before when something changed. */
  readonly version: () => string
  readonly write: () => Promise<void>
}): Keeper {
  const { clock, log } = options
  const stopped = new AbortController()
  let written = ''
  let failing = false
  /** Answers how long the copying held up everything else; waiting for the disk holds up nobody. */
  const writeChanges = async (): Promise<number> => {
    const version = options.version()
    if (version === written) return 0
    const began = clock.now()
    const writing = options.write()
    const heldUpMs = Math.max(0, clock.now() - began)
    try {
      await writing
      written = version
      failing = false
    } catch (error) {
      if (!failing) log.warn('the demo school cannot be written down', { error })
      failing = true
    }
    return heldUpMs
  }
  const run = async () => {
    while (!stopped.signal.aborted) {
      const pauseMs = (await writeChanges()) * pausePerWriteMs
      await clock.sleep(Math.min(pauseMsMax, Math.max(pauseMsMin, pauseMs)), stopped.signal)
    }
    await writeChanges()
  }
  const running = run()
  return {
    stop: () => {
      stopped.abort()
      return running
    },
  }
}

type Owner = { readonly pid: number; readonly birth: string }

/**
 * Claims the demo of a folder. Two at once would each point the hub's connections at simulators of their own. Returns
 * the way to let go; a killed program's claim is taken over.
 */
export async function claimDemo(folder: string): Promise<() => Promise<void>> {
  const file = path.join(folder, lockFile)
  const owner = await readOwner(file)
  if (owner !== null && isAlive(owner.pid) && birthOf(owner.pid) === owner.birth)
    throw new Error(
      `a demo runs in this folder already (process ${owner.pid}). Stop it first, or start this one in another folder. If it does not run any more, remove ${file}.`,
    )
  const own: Owner = { pid: process.pid, birth: birthOf(process.pid) }
  await writeFile(file, JSON.stringify(own), { mode: 0o600 })
  return () => rm(file, { force: true })
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Owner
  } catch (error) {
    // None, or half of one from a program that was killed as it wrote: nobody holds the claim.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return null
    throw error
  }
}
