import type { Caller } from '#action/caller.ts'
import { type Ctx, inTx, systemCtx } from '#action/context.ts'
import { defineActions } from '#action/define.ts'
import { type ActionResult, runAction } from '#action/run.ts'
import { createDrain } from '#db/jobs/drain.ts'
import { sweep } from '#entitlements/jobs.ts'
import { grantByHand } from '#entitlements/manual.ts'
import { roleActions } from '#identity/actions-roles.ts'
import { ensureMailboxPerson, ensurePerson } from '#identity/people.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { signedInAs } from '#identity/signed-in-testing.ts'
import { callerOfUser } from '#identity/user-caller.ts'
import { tasksOf } from '#main/tasks.ts'
import { createWorld, type World } from '#main/world.ts'
import { peopleActions } from './actions.ts'
import { provideSignIn } from './sign-in-systems.ts'

/** For tests: a world with people in it, and the built-in provider's users as a plain list. */
export type PeopleWorld = {
  readonly world: World
  readonly ctx: Ctx
  /** Sessions by token, as the sign-in systems would answer. */
  readonly tokens: Map<string, SignedIn>
  readonly users: Set<string>
  readonly builtIn: string
  mailbox(email: string): Promise<string>
  signedIn(subject: string, email: string, more?: Partial<SignedIn>): SignedIn
  person(signedIn: SignedIn): Promise<string>
  caller(signedIn: SignedIn): Promise<Caller>
  ask(name: string, input: unknown, by?: Caller, dryRun?: boolean): Promise<ActionResult>
  answer<T>(name: string, input: unknown, by?: Caller, dryRun?: boolean): Promise<T>
  code(name: string, input: unknown, by?: Caller): Promise<string>
  course(slug: string): Promise<string>
  grant(personId: string, courseId: string): Promise<void>
  /** Buys a course and settles; returns the order's id. */
  buy(email: string, price: string): Promise<string>
  /** Runs jobs and time until nothing is due within `ms`. */
  settle(ms?: number): Promise<void>
  close(): Promise<void>
}

export async function peopleWorld(): Promise<PeopleWorld> {
  const world = await createWorld()
  const { app, organization, clock } = world
  const ctx = systemCtx(app, organization, 'test')
  const tokens = new Map<string, SignedIn>()
  const users = new Set<string>()
  provideSignIn(app.db, {
    readToken: async (token) => tokens.get(token) ?? 'invalid',
    builtIn: {
      deleteUser: async (subject) => users.delete(subject),
      revokeAll: async () => undefined,
      exportUser: async (subject) => (users.has(subject) ? { subject } : null),
    },
  })
  const tasks = tasksOf(app)
  const drain = createDrain({ url: world.database.url, tasks, clock, random: app.random, node: app.node, log: app.log })
  const registry = defineActions([...roleActions, ...peopleActions])
  const key: Caller = { organization, actor: { kind: 'key', id: 'key_test', name: 'test' }, scopes: ['*'] }
  const builtIn = `${app.publicUrl}/auth`
  const ask = (name: string, input: unknown, by: Caller = key, dryRun = false) =>
    runAction(app, registry, { name, input, caller: by, dryRun })
  const answer = async <T>(name: string, input: unknown, by?: Caller, dryRun?: boolean): Promise<T> => {
    const result = await ask(name, input, by, dryRun)
    if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.body)}`)
    return result.output as T
  }
  const settle = async (ms = 1_000) => {
    const end = clock.now() + ms
    for (let round = 0; round < roundsMax; round++) {
      await world.deliver()
      while ((await drain.step()) === 'ran') await world.deliver()
      const { changed, poked } = await sweep(app)
      if (changed + poked > 0) continue
      const next = await drain.nextRunAt()
      if (next === null || next > end) break
      await clock.advanceTo(next)
    }
    await clock.advanceTo(end)
  }
  return {
    world,
    ctx,
    tokens,
    users,
    builtIn,
    ask,
    answer,
    settle,
    mailbox: async (email) => (await inTx(ctx, (tx) => ensureMailboxPerson(tx, ctx, { email, name: null }))).id,
    signedIn: (subject, email, more = {}) =>
      signedInAs(subject, {
        issuer: builtIn,
        email,
        emailVerified: true,
        authenticatedAt: clock.now(),
        mailboxProvenAt: clock.now(),
        ...more,
      }),
    person: async (signedIn) => (await inTx(ctx, (tx) => ensurePerson(tx, ctx, signedIn))).id,
    caller: (signedIn) => callerOfUser(app, signedIn, organization),
    code: async (name, input, by) => {
      const result = await ask(name, input, by)
      return result.ok ? 'ok' : result.code
    },
    course: async (slug) => {
      await world.sell(slug, 1_000, [slug])
      const [row] = await world.rows<{ id: string }>(`select id from course where external_id = '${slug}'`)
      return row?.id ?? ''
    },
    grant: async (personId, courseId) => {
      await inTx(ctx, (tx) =>
        grantByHand(
          { ...ctx, tx, scopes: ['*'] },
          { person: { id: personId }, courseId, reason: 'test', startsAt: null, endsAt: null },
        ),
      )
    },
    buy: async (email, price) => {
      const session = await world.checkout([price])
      world.stripe.pay({ session, email })
      await settle()
      const [row] = await world.rows<{ id: string }>(`select id from "order" where checkout_id = '${session}'`)
      return row?.id ?? ''
    },
    close: async () => {
      await drain.close()
      await world.close()
    },
  }
}

const roundsMax = 300
