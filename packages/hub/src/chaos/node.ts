import type { App } from '#action/context.ts'
import { createDatabase, createPool } from '#db/database.ts'
import { createDrain, type Drain, reap } from '#db/jobs/drain.ts'
import { freeLeases } from '#entitlements/jobs.ts'
import { tasksOf } from '#main/tasks.ts'
import type { World } from '#main/world.ts'

/** Thrown through whatever a node was doing when it was killed. Nothing may catch it and go on. */
export class Killed extends Error {
  constructor(node: string) {
    super(`${node} was killed`)
    this.name = 'Killed'
  }
}

/** Where a node can be stopped: between any two transactions, and before and after any call outside. */
export type Point = 'begin' | 'committed' | 'calling' | 'called'

/** A worker process that moves only when told, one step at a time, and can die between any two. */
export type ChaosNode = {
  readonly name: string
  /** Goes on to the next point, or takes a job. `idle`: there is none due. */
  advance(): Promise<'parked' | 'done' | 'idle'>
  readonly busy: boolean
  /** As by kill -9: whatever it held stays held until it is buried. */
  kill(): Promise<void>
  /** The last point it stopped at, for the story of a run. */
  readonly at: Point | null
  close(): Promise<void>
}

type Gate = { readonly point: Point; readonly open: () => void }

/** Where a node waits between two steps until it is told to go on, or is dead. */
function createGate(name: string) {
  let dead = false
  let gate: Gate | null = null
  let parked: () => void = () => undefined
  return {
    get dead() {
      return dead
    },
    get at() {
      return gate?.point ?? null
    },
    /** Stands in the node's way at every point. */
    step: (point: Point): Promise<void> => {
      if (dead) return Promise.reject(new Killed(name))
      return new Promise((resolve, reject) => {
        gate = { point, open: () => (dead ? reject(new Killed(name)) : resolve()) }
        parked()
      })
    },
    untilParked: () =>
      new Promise<'parked'>((resolve) => {
        parked = () => resolve('parked')
      }),
    open: () => {
      const open = gate?.open
      gate = null
      open?.()
    },
    /** From here on every step ends in `Killed`, the one it waits at first. */
    kill: (before: () => void) => {
      dead = true
      before()
      gate?.open()
    },
  }
}

export function createNode(world: World, name: string): ChaosNode {
  const gate = createGate(name)
  let running: Promise<'ran' | 'idle'> | null = null
  const app: App = {
    ...world.app,
    node: name,
    db: createDatabase({ url: world.database.url, clock: world.clock, max: 4, step: gate.step }),
    http: async (request) => {
      await gate.step('calling')
      const outcome = await world.app.http(request)
      await gate.step('called')
      return outcome
    },
  }
  const drain: Drain = createDrain({
    url: world.database.url,
    tasks: tasksOf(app),
    clock: world.clock,
    random: world.app.random,
    node: name,
    log: app.log,
    pick: 'any',
  })

  const advance = async (): Promise<'parked' | 'done' | 'idle'> => {
    if (gate.dead) return 'idle'
    const stop = gate.untilParked()
    if (running === null) running = drain.step()
    else gate.open()
    const ended = running.then((result) => (result === 'idle' ? ('idle' as const) : ('done' as const)))
    const result = await Promise.race([stop, ended])
    if (result !== 'parked') running = null
    return result
  }

  const leave = () => Promise.all([app.db.close(), drain.close()])
  return {
    name,
    advance,
    get busy() {
      return running !== null
    },
    get at() {
      return gate.at
    },
    kill: async () => {
      gate.kill(drain.kill)
      await running
      await leave()
    },
    close: async () => {
      if (!gate.dead) await leave()
    },
  }
}

/** What the reaper of a living node does a few seconds after a death. */
export async function bury(world: World, name: string): Promise<void> {
  const pool = createPool({ url: world.database.url, role: null, max: 1 })
  try {
    await reap(pool, name)
  } finally {
    await pool.end()
  }
  await freeLeases(world.app, name)
}
