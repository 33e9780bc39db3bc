import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { createDatabase, type Database } from '#db/database.ts'
import type { World } from '#main/world.ts'
import { Killed } from './node.ts'

/**
 * The process at the door: several requests are under way at once, each moves only when told, and all of them die with
 * it. Like a worker it stops between any two transactions and before and after any call outside.
 */
export type ChaosWeb = {
  readonly name: string
  /** Begins a request; `work` is what its route does. It stops before its first transaction. */
  begin(label: string, work: (app: App) => Promise<string>): Promise<void>
  /** Moves one request by one step. `pick` says which; the answer tells where it stands, or how it ended. */
  advance(pick: (waiting: number) => number): Promise<string | null>
  /** Lets every request that stands in a call outside go on until it does not. */
  finishCalls(): Promise<void>
  readonly busy: boolean
  /** As by kill -9, with every request in it. */
  kill(): Promise<void>
  close(): Promise<void>
}

type Waiter = { readonly point: string; readonly due: number | null; open(): void; fail(error: unknown): void }

/** One request: what of it waits to be let on, and how much of it is in a transaction or a call right now. */
type Flow = {
  readonly label: string
  readonly waiting: Waiter[]
  running: number
  idle: (() => void) | null
  ended: string | null
  /** Its end has been told. What it left running may go on later, when another request lets it. */
  told: boolean
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Resolves when nothing moves any more: all of it waits for us, or it is over. Requests may wait for one another. */
async function untilStill(flows: readonly Flow[]): Promise<void> {
  for (;;) {
    for (const flow of flows)
      if (flow.running > 0)
        await new Promise<void>((resolve) => {
          flow.idle = resolve
        })
    // What follows an answer runs at once; two turns are more than it needs.
    await turn()
    await turn()
    if (flows.every((flow) => flow.running === 0)) return
  }
}

const enter = (flow: Flow | undefined, by: 1 | -1) => {
  if (flow === undefined) return
  flow.running += by
  if (flow.running > 0) return
  flow.idle?.()
  flow.idle = null
}

type State = {
  readonly name: string
  readonly current: AsyncLocalStorage<Flow>
  /** True inside a transaction: a statement of its own in there is part of it, and stops nowhere. */
  readonly inside: AsyncLocalStorage<boolean>
  dead: boolean
}

/** Waits to be let on. Work outside any request goes on at once: it is one act of its own. */
function stop(state: State, point: string, due: number | null, signal?: AbortSignal): Promise<void> {
  const flow = state.current.getStore()
  if (flow === undefined || signal?.aborted === true) return Promise.resolve()
  if (state.dead) return Promise.reject(new Killed(state.name))
  return new Promise((resolve, reject) => {
    const waiter: Waiter = { point, due, open: resolve, fail: reject }
    flow.waiting.push(waiter)
    signal?.addEventListener('abort', () => {
      flow.waiting.splice(flow.waiting.indexOf(waiter) >>> 0, 1)
      resolve()
    })
  })
}

const counted = async <T>(state: State, work: () => Promise<T>): Promise<T> => {
  const flow = state.current.getStore()
  enter(flow, 1)
  try {
    return await work()
  } finally {
    enter(flow, -1)
  }
}

/** A stop in the middle of something counted. */
async function pause(state: State, point: string): Promise<void> {
  if (state.inside.getStore() === true) return
  const flow = state.current.getStore()
  enter(flow, -1)
  try {
    await stop(state, point, null)
  } finally {
    enter(flow, 1)
  }
}

function gated(world: World, state: State): App {
  const inner = createDatabase({
    url: world.database.url,
    clock: world.clock,
    max: 6,
    step: (at) => pause(state, at),
  })
  const db: Database = {
    tx: (scope, work) => counted(state, () => inner.tx(scope, (tx) => state.inside.run(true, () => work(tx)))),
    direct: (statement) => counted(state, () => inner.direct(statement)),
    close: () => inner.close(),
  }
  const clock: Clock = {
    now: () => world.clock.now(),
    sleep: (ms, signal) => stop(state, 'asleep', world.clock.now() + ms, signal),
  }
  return {
    ...world.app,
    node: state.name,
    db,
    clock,
    http: (request) =>
      counted(state, async () => {
        await pause(state, 'calling')
        const outcome = await world.app.http(request)
        await pause(state, 'called')
        return outcome
      }),
  }
}

/** What is let on next: whatever does not sleep, then whoever would wake first. A limit of time is never met early. */
function nextOf(flow: Flow, now: number): Waiter | undefined {
  const awake = flow.waiting.find((w) => w.due === null || w.due <= now)
  if (awake !== undefined) return awake
  return flow.waiting.toSorted((a, b) => (a.due ?? 0) - (b.due ?? 0))[0]
}

const isOver = (flow: Flow) => flow.ended !== null && flow.waiting.length === 0 && flow.running === 0

const newFlow = (label: string): Flow => ({ label, waiting: [], running: 0, idle: null, ended: null, told: false })

const ends = async (flow: Flow, work: Promise<string>): Promise<void> => {
  try {
    flow.ended = await work
  } catch (error) {
    flow.ended = error instanceof Error ? `threw ${error.message}` : 'threw'
  }
}

export function createWeb(world: World, name: string): ChaosWeb {
  const state: State = { name, current: new AsyncLocalStorage(), inside: new AsyncLocalStorage(), dead: false }
  const app = gated(world, state)
  const flows: Flow[] = []
  const live = () => flows.filter((flow) => !isOver(flow))
  const letOn = async (flow: Flow, waiter: Waiter | undefined) => {
    if (waiter !== undefined) {
      flow.waiting.splice(flow.waiting.indexOf(waiter), 1)
      waiter.open()
    }
    await untilStill(flows)
  }

  return {
    name,
    get busy() {
      return live().length > 0
    },
    begin: async (label, work) => {
      const flow = newFlow(label)
      flows.push(flow)
      void state.current.run(flow, () => ends(flow, work(app)))
      await untilStill(flows)
    },
    advance: async (pick) => {
      const waiting = live()
      const flow = waiting[pick(waiting.length)]
      if (flow === undefined) return null
      const waiter = nextOf(flow, world.clock.now())
      await letOn(flow, waiter)
      // One that waited for another may end with a step of the other.
      const over = [flow, ...flows].find((f) => isOver(f) && !f.told)
      if (over === undefined) return `${flow.label} at ${waiter?.point ?? 'rest'}`
      over.told = true
      return `${over.label}: ${over.ended}`
    },
    finishCalls: async () => {
      for (const flow of flows)
        for (;;) {
          const waiter = flow.waiting.find((w) => w.point === 'calling' || w.point === 'called')
          if (waiter === undefined) break
          await letOn(flow, waiter)
        }
    },
    kill: async () => {
      state.dead = true
      for (let some = true; some; ) {
        some = false
        for (const flow of flows)
          for (const waiter of flow.waiting.splice(0)) {
            some = true
            waiter.fail(new Killed(name))
          }
        await untilStill(flows)
      }
      await app.db.close()
    },
    close: async () => {
      if (!state.dead) await app.db.close()
    },
  }
}
