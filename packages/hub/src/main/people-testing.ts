import type { Caller } from '#action/caller.ts'
import { type Ctx, inTx, systemCtx } from '#action/context.ts'
import { defineActions } from '#action/define.ts'
import { type ActionResult, runAction } from '#action/run.ts'
import { grantByHand } from '#entitlements/manual.ts'
import { roleActions } from '#identity/actions-roles.ts'
import { ensureMailboxPerson, ensurePerson } from '#identity/people.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { signedInAs } from '#identity/signed-in-testing.ts'
import { callerOfUser } from '#identity/user-caller.ts'
import { peopleActions } from '#people/actions.ts'
import { provideSignIn } from '#people/sign-in-systems.ts'
import { createWorld, type World } from './world.ts'

/** For tests: a world with people in it, and the built-in provider's users as a plain list. */
export type PeopleWorld = Asking &
  Living & {
    readonly world: World
    readonly ctx: Ctx
    /** Sessions by token, as the sign-in systems would answer. */
    readonly tokens: Map<string, SignedIn>
    readonly users: Set<string>
    readonly builtIn: string
    settle(ms?: number): Promise<void>
    close(): Promise<void>
  }

type Asking = {
  ask(name: string, input: unknown, by?: Caller, dryRun?: boolean): Promise<ActionResult>
  answer<T>(name: string, input: unknown, by?: Caller, dryRun?: boolean): Promise<T>
  code(name: string, input: unknown, by?: Caller): Promise<string>
}

type Living = {
  mailbox(email: string): Promise<string>
  signedIn(subject: string, email: string, more?: Partial<SignedIn>): SignedIn
  person(signedIn: SignedIn): Promise<string>
  caller(signedIn: SignedIn): Promise<Caller>
  course(slug: string): Promise<string>
  grant(personId: string, courseId: string): Promise<void>
  /** Buys a course and settles; returns the order's id. */
  buy(email: string, price: string): Promise<string>
}

export async function peopleWorld(): Promise<PeopleWorld> {
  const world = await createWorld()
  const { app, organization } = world
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
  const builtIn = `${app.publicUrl}/auth`
  return {
    ...{ world, ctx, tokens, users, builtIn },
    ...asking(world),
    ...living(world, ctx, builtIn),
    settle: world.settle,
    close: world.close,
  }
}

function asking({ app, organization }: World): Asking {
  const registry = defineActions([...roleActions, ...peopleActions])
  const key: Caller = { organization, actor: { kind: 'key', id: 'key_test', name: 'test' }, scopes: ['*'] }
  const ask = (name: string, input: unknown, by: Caller = key, dryRun = false) =>
    runAction(app, registry, { name, input, caller: by, dryRun })
  return {
    ask,
    answer: async <T>(name: string, input: unknown, by?: Caller, dryRun?: boolean): Promise<T> => {
      const result = await ask(name, input, by, dryRun)
      if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.body)}`)
      return result.output as T
    },
    code: async (name, input, by) => {
      const result = await ask(name, input, by)
      return result.ok ? 'ok' : result.code
    },
  }
}

const living = (world: World, ctx: Ctx, builtIn: string): Living => ({
  mailbox: async (email) => (await inTx(ctx, (tx) => ensureMailboxPerson(tx, ctx, { email, name: null }))).id,
  signedIn: (subject, email, more = {}) =>
    signedInAs(subject, {
      issuer: builtIn,
      email,
      emailVerified: true,
      authenticatedAt: world.clock.now(),
      mailboxProvenAt: world.clock.now(),
      ...more,
    }),
  person: async (signedIn) => (await inTx(ctx, (tx) => ensurePerson(tx, ctx, signedIn))).id,
  caller: (signedIn) => callerOfUser(world.app, signedIn, world.organization),
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
    await world.settle()
    const [row] = await world.rows<{ id: string }>(`select id from "order" where checkout_id = '${session}'`)
    return row?.id ?? ''
  },
})
