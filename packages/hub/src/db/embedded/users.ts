import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { systemClock } from '@bursar/kit/clock.ts'
import { birthOf, isAlive } from './processes.ts'

// Starting or stopping a server takes well under a second; recovery after a crash of a large one may take minutes.
const lockWaitMsMax = 300_000
const lockPollMs = 25

const me = () => `${process.pid}-${birthOf(process.pid)}`
let counter = 0

const livesBehind = (name: string): boolean => {
  const [pid, birth] = name.split('-')
  const id = Number(pid)
  return Number.isInteger(id) && id > 0 && isAlive(id) && birthOf(id) === (birth ?? '')
}

/** Runs `work` while no other process starts or stops the server of this folder. A lock of a dead process is taken over. */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const lock = path.join(folder, 'postgres.lock')
  const mine = `${lock}.${me()}-${counter++}`
  await writeFile(mine, me())
  try {
    for (let waited = 0; !(await tryLock(lock, mine)); waited += lockPollMs) {
      if (waited > lockWaitMsMax) throw new Error(`another process holds ${lock} for ${lockWaitMsMax / 1000} s`)
      await systemClock.sleep(lockPollMs)
    }
    try {
      return await work()
    } finally {
      await rm(lock, { force: true })
    }
  } finally {
    await rm(mine, { force: true })
  }
}

async function tryLock(lock: string, mine: string): Promise<boolean> {
  try {
    await link(mine, lock)
    return true
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  }
  const holder = await readFile(lock, 'utf8').catch(() => null) // Gone meanwhile: the next round tries again.
  if (holder === null || livesBehind(holder)) return false
  // Two processes may find the same dead lock. Whoever moved away a fresh one puts it back.
  const aside = `${mine}.stale`
  await rename(lock, aside).catch(() => undefined) // The other one was first.
  const moved = await readFile(aside, 'utf8').catch(() => null)
  if (moved !== null && moved !== holder) await link(aside, lock).catch(() => undefined) // Taken again already.
  await rm(aside, { force: true })
  return false
}

export interface Membership {
  /** Leaves; true when nobody living is left, so that the caller turns the server off. */
  leave(): boolean
}

/** Notes that this process uses the server of the folder. The last one out turns it off. */
export function join(folder: string): Membership {
  const users = path.join(folder, 'postgres.users')
  mkdirSync(users, { recursive: true })
  const mine = `${me()}-${counter++}`
  writeFileSync(path.join(users, mine), '')
  return {
    leave: () => {
      rmSync(path.join(users, mine), { force: true })
      // Without the folder (somebody removed it with the data) nobody else can be in it.
      const others = existsSync(users) ? readdirSync(users) : []
      for (const name of others) if (!livesBehind(name)) rmSync(path.join(users, name), { force: true })
      return !others.some(livesBehind)
    },
  }
}
