import type { HttpOutcome } from '@bursar/kit/http.ts'
import type { App } from '#action/context.ts'
import { createDatabase } from '#db/database.ts'
import { createDrain } from '#db/jobs/drain.ts'
import { tasksOf } from '#main/tasks.ts'
import type { World } from '#main/world.ts'

export type Mortal = {
  readonly node: string
  /** The process's own things: what uses them dies with it. */
  readonly app: App
  /** Does this in the process until it is done, or until the process dies: true when it died. */
  during(work: () => Promise<unknown>): Promise<boolean>
  /** Works until nothing is due, or until it dies: true when it died. */
  run(): Promise<boolean>
  /** Ends what still hangs and frees its connections. Nothing it does from here on can succeed. */
  bury(): Promise<void>
}

/** What hangs in the grave ends with an error nobody waits for. */
const quietly = async (work: Promise<unknown>): Promise<void> => void (await Promise.allSettled([work]))

/** The way out of a process: each call is two steps, before it is sent and after it was answered. */
const steppingHttp =
  (http: App['http'], step: () => Promise<void>): App['http'] =>
  async (request): Promise<HttpOutcome> => {
    await step()
    const answer = await http(request)
    await step()
    return answer
  }

/**
 * A process that dies for good at its `moment`-th step. Steps are the beginning and the commit of each transaction,
 * and each call to the outside before it is sent and after it was answered. Dying means that it hangs there, as a
 * killed process does for everybody else.
 */
export function mortal(world: World, node: string, moment: number): Mortal {
  let steps = 0
  let tellDeath: () => void = () => undefined
  const death = new Promise<void>((resolve) => {
    tellDeath = resolve
  })
  let end: (error: Error) => void = () => undefined
  const grave = new Promise<never>((_, reject) => {
    end = reject
  })
  // Nobody may be waiting in it when it is closed.
  grave.catch(() => undefined)

  const step = async (): Promise<void> => {
    steps += 1
    if (steps < moment) return
    tellDeath()
    await grave
  }
  const db = createDatabase({ url: world.database.url, clock: world.clock, max: 3, step })
  const app: App = { ...world.app, node, db, http: steppingHttp(world.app.http, step) }
  const drain = createDrain({
    url: world.database.url,
    tasks: tasksOf(app),
    clock: world.clock,
    random: app.random,
    node,
    log: app.log,
  })
  let work: Promise<void> = Promise.resolve()
  return {
    node,
    app,
    during: (doing) => {
      const done = doing().then(() => false)
      work = quietly(done)
      return Promise.race([done, death.then(() => true)])
    },
    run: async () => {
      let died = false
      work = (async () => {
        while (!died && (await drain.step()) === 'ran');
      })()
      await Promise.race([
        work,
        death.then(() => {
          died = true
          drain.kill()
        }),
      ])
      return died
    },
    bury: async () => {
      end(new Error(`${node} is dead`))
      await work
      await Promise.all([drain.close(), db.close()])
    },
  }
}
