import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import type { CallerUser } from '#action/caller.ts'
import { type Ctx, inTx } from '#action/context.ts'
import { type Action, type ActionCtx, action } from '#action/define.ts'
import { id, instant, secret } from '#action/fields.ts'
import type { Tx } from '#db/database.ts'
import { rolesOf } from '#identity/roles.ts'
import { download } from './export.ts'
import { linkIdentity, unlinkIdentity } from './link.ts'
import { openRequest, requestById, samePeople } from './privacy.ts'
import { accountsOf, customersOf, identitiesOf, peopleOf } from './read.ts'
import { isFreshProof } from './rules.ts'
import { identityShape, requestShape } from './shape.ts'
import { signInOf } from './sign-in-systems.ts'

const userOf = (ctx: Pick<Ctx, 'user'>): CallerUser => {
  if (ctx.user === undefined) throw new CodedError('forbidden', 'Only a signed-in person can do this, for themselves.')
  return ctx.user
}

/** What cannot be taken back is asked of somebody who has just signed in or answered a code. */
const freshly = (ctx: ActionCtx): CallerUser => {
  const user = userOf(ctx)
  if (!isFreshProof(user, ctx.tx.now))
    throw new CodedError('email_unproven', 'Sign in again, then do this within fifteen minutes.')
  return user
}

export const get = action({
  name: 'me.get',
  summary: 'Who am I here: identities, roles and what they allow, second factor, customer records and school accounts.',
  input: z.object({}),
  output: z.object({
    personId: z.string(),
    organization: z.string(),
    email: z.string().nullable(),
    name: z.string().nullable(),
    identities: z.array(identityShape.extend({ current: z.boolean() })),
    roles: z.array(z.string()),
    scopes: z.array(z.string()).describe('What this session may do now.'),
    secondFactor: z.object({
      at: instant.nullable(),
      wanted: z.boolean().describe('The roles would allow more with a second factor.'),
    }),
    customers: z.array(z.object({ connectionId: z.string(), externalId: z.string() })),
    accounts: z.array(z.object({ id: z.string(), connectionId: z.string(), school: z.string() })),
  }),
  access: 'person',
  effect: 'read',
  run: async (ctx) => {
    const user = userOf(ctx)
    const { tx } = ctx
    const [person] = await peopleOf(tx, { id: user.personId, limit: 1 })
    const identities = await identitiesOf(tx, user.personId)
    const accounts = await accountsOf(tx, user.personId)
    return {
      personId: user.personId,
      organization: ctx.organization,
      email: person?.email ?? null,
      name: person?.name ?? null,
      identities: identities.map((it) => ({
        ...it,
        current: it.issuer === user.issuer && it.subject === user.subject,
      })),
      roles: [...(await rolesOf(tx, user.personId))],
      scopes: [...ctx.scopes],
      secondFactor: { at: user.secondFactorAt, wanted: user.scopesWait },
      customers: await customersOf(tx, user.personId),
      accounts: accounts.map(({ id: account, connectionId, school }) => ({ id: account, connectionId, school })),
    }
  },
})

export const link = action({
  name: 'me.link_identity',
  summary:
    'Add a second way to sign in, by showing a session of it. Both sessions must be of the last minutes, one of them by a code to its mailbox.',
  input: z.object({ token: secret(z.string().min(10).max(20_000)).describe('A session token of the other identity.') }),
  output: z.object({
    outcome: z.enum(['linked', 'already', 'merged', 'waiting_person']),
    mergeId: z.string().nullable(),
    identities: z.array(identityShape),
  }),
  access: 'person',
  effect: 'outside',
  run: async (ctx, { token }) => {
    const user = userOf(ctx)
    // A foreign issuer's keys may have to be fetched: no transaction is open meanwhile.
    const other = await signInOf(ctx).readToken(token)
    if (other === null || other === 'invalid')
      throw new CodedError('unauthenticated', 'The other session is not valid.')
    return tried(ctx, async (tx) => {
      const { outcome, merge } = await linkIdentity(tx, ctx, user, other)
      return { outcome, mergeId: merge?.id ?? null, identities: await identitiesOf(tx, user.personId) }
    })
  },
})

/** Carries the answer of a dry run past the rollback. */
class RolledBack<T> extends Error {
  readonly answer: T
  constructor(answer: T) {
    super('dry run')
    this.answer = answer
  }
}

/** In a transaction of its own; a dry run answers the same and leaves nothing. */
async function tried<T>(ctx: Ctx, work: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    return await inTx(ctx, async (tx) => {
      const answer = await work(tx)
      if (ctx.dryRun) throw new RolledBack(answer)
      return answer
    })
  } catch (error) {
    if (error instanceof RolledBack) return error.answer as T
    throw error
  }
}

export const unlink = action({
  name: 'me.unlink_identity',
  summary: 'Remove one way to sign in. The one of this session and the last one stay.',
  input: z.object({ issuer: z.string().max(300), subject: z.string().max(300) }),
  output: z.object({ identities: z.array(identityShape) }),
  access: 'person',
  effect: 'write',
  run: async (ctx, input) => {
    const user = freshly(ctx)
    if (input.issuer === user.issuer && input.subject === user.subject)
      throw new CodedError('conflict', 'You are signed in with this one; sign in with another to remove it.')
    await unlinkIdentity(ctx, user.personId, input)
    return { identities: await identitiesOf(ctx.tx, user.personId) }
  },
})

const asked = z.object({ request: requestShape, already: z.boolean().describe('It was asked for before and runs.') })

export const requestExport = action({
  name: 'me.request_export',
  summary: 'Ask for a copy of everything this hub holds about me. A message says when it can be downloaded.',
  input: z.object({}),
  output: asked,
  access: 'person',
  effect: 'write',
  run: async (ctx) => {
    const { request, already } = await openRequest(ctx.tx, ctx, {
      kind: 'export',
      personId: freshly(ctx).personId,
      reason: null,
    })
    return { request, already }
  },
})

export const requestErase = action({
  name: 'me.request_erase',
  summary: 'Ask to be erased here and at the schools. Access to all courses ends at once and for good.',
  input: z.object({ confirm: z.literal('erase').describe('So that nobody does this by mistake.') }),
  output: asked,
  access: 'person',
  effect: 'write',
  run: async (ctx) => {
    const { request, already } = await openRequest(ctx.tx, ctx, {
      kind: 'erase',
      personId: freshly(ctx).personId,
      reason: null,
    })
    return { request, already }
  },
})

export const downloadExport = action({
  name: 'me.download_export',
  summary: 'Download the copy of my data, once, within seven days.',
  input: z.object({ requestId: id('prv') }),
  output: z.object({ document: secret(z.record(z.string(), z.unknown()).nullable()) }),
  access: 'person',
  effect: 'write',
  hidden: 'agents',
  run: async (ctx, { requestId }) => {
    const user = freshly(ctx)
    const request = await requestById(ctx.tx, requestId)
    const mine = await samePeople(ctx.tx, user.personId)
    if (request === null || !mine.includes(request.personId) || request.kind !== 'export')
      throw new CodedError('not_found', 'There is no such request.')
    return { document: await download(ctx.tx, ctx, request) }
  },
})

export const meActions: readonly Action[] = [get, link, unlink, requestExport, requestErase, downloadExport]
