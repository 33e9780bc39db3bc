import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { allows } from '#action/caller.ts'
import type { Ctx } from '#action/context.ts'
import { type Action, type ActionCtx, action } from '#action/define.ts'
import { id, instant, page } from '#action/fields.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { isMailAddress } from '#mail/address.ts'
import { ensureMailboxPerson, mailboxIssuer, normalizeEmail } from './people.ts'
import { type GrantableRole, grantableRoles, grantRole, revokeRole, scopesOfRoles } from './roles.ts'

const role = z.enum(grantableRoles)
const reason = z.string().trim().min(3).max(300).describe('Why. It stands in the audit.')
const whose = {
  personId: id('prs').optional(),
  email: z
    .string()
    .max(254)
    .optional()
    .describe('The person of this mailbox; made when there is none. The role waits until the mailbox is proven.'),
}

/**
 * Whether somebody with these scopes may give or take this role: nobody passes on more than they hold, and owners and
 * commerce admins are made by owners only (or by a key that may do everything).
 */
export const mayGrant = (scopes: readonly string[], wanted: GrantableRole): boolean =>
  wanted === 'owner' || wanted === 'commerce-admin'
    ? scopes.includes('*')
    : scopesOfRoles([wanted]).every((scope) => allows(scopes, scope))

/**
 * What a learning platform's word about a user comes to here: at most that somebody may receive payouts. Its admins
 * are admins there. Whoever breaks into a school must not find refunds and payouts behind it (correction 64).
 */
export const roleFromPlatform = (platformRole: string): 'payee' | null =>
  platformRole === 'instructor' || platformRole === 'author' || platformRole === 'payee' ? 'payee' : null

const person = (input: { readonly personId?: string | undefined; readonly email?: string | undefined }) => {
  if ((input.personId === undefined) === (input.email === undefined))
    throw new CodedError('input_invalid', 'Say whose role it is: either personId or email.', {
      issues: [{ path: 'personId', message: 'give either personId or email' }],
    })
  return input
}

async function personFor(ctx: ActionCtx, input: { personId?: string | undefined; email?: string | undefined }) {
  const { personId, email } = person(input)
  if (email !== undefined) {
    if (!isMailAddress(normalizeEmail(email)))
      throw new CodedError('input_invalid', 'This is not an address mail can be sent to.', {
        issues: [{ path: 'email', message: 'not an address' }],
      })
    return (await ensureMailboxPerson(ctx.tx, ctx, { email, name: null })).id
  }
  const row = await ctx.tx.maybeOne<{ id: string }>(sql('role_person')`
    select id from person where id = ${personId} and merged_into is null and erased_at is null`)
  if (row === null) throw new CodedError('not_found', 'There is no such person.')
  return row.id
}

const waits = async (tx: Tx, personId: string): Promise<boolean> =>
  (await tx.maybeOne(sql('role_waits')`
    select 1 from identity where person_id = ${personId} and (issuer <> ${mailboxIssuer} or proven_at is not null) limit 1`)) ===
  null

const by = ({ actor }: Pick<Ctx, 'actor'>): string => (actor.kind === 'system' ? actor.name : actor.id)

const refuseMore = (ctx: ActionCtx, wanted: GrantableRole): void => {
  if (!mayGrant(ctx.scopes, wanted))
    throw new CodedError('forbidden', `Only somebody who holds all that ${wanted} can do may give or take it.`)
}

export const grant = action({
  name: 'roles.grant',
  summary:
    'Give a person a role, for a reason. By e-mail, the role waits until that mailbox is proven by a code: so the first owner comes to be.',
  input: z.object({ ...whose, role, reason }),
  output: z.object({
    personId: z.string(),
    role,
    granted: z.boolean().describe('False: the person holds it already.'),
    waitsForProof: z.boolean().describe('Nobody has signed in as this person yet; the role counts once somebody does.'),
  }),
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  examples: [
    {
      summary: 'The first owner',
      input: { email: 'ada@school.example', role: 'owner', reason: 'Runs the school' },
    },
  ],
  run: async (ctx, input) => {
    refuseMore(ctx, input.role)
    const personId = await personFor(ctx, input)
    const given = await grantRole(ctx.tx, ctx, { personId, role: input.role, reason: input.reason })
    if (given !== null)
      await record(ctx.tx, ctx, [
        { kind: 'person.role', personId, data: { role: input.role, change: 'granted', by: by(ctx) } },
      ])
    return { personId, role: input.role, granted: given !== null, waitsForProof: await waits(ctx.tx, personId) }
  },
})

export const revoke = action({
  name: 'roles.revoke',
  summary: 'Take a role back, for a reason. The last owner stays owner.',
  input: z.object({ personId: id('prs'), role, reason }),
  output: z.object({ personId: z.string(), role, revokedAt: instant }),
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, { personId, role: wanted, reason: why }) => {
    refuseMore(ctx, wanted)
    const taken = await revokeRole(ctx.tx, ctx, { personId, role: wanted, reason: why })
    if (taken === null || taken.revokedAt === null) throw new CodedError('not_found', 'This person does not hold it.')
    await record(ctx.tx, ctx, [
      { kind: 'person.role', personId, data: { role: wanted, change: 'revoked', by: by(ctx) } },
    ])
    return { personId, role: wanted, revokedAt: taken.revokedAt }
  },
})

const grantShape = z.object({
  id: z.string(),
  personId: z.string(),
  email: z.string().nullable(),
  role,
  reason: z.string(),
  grantedBy: z.string(),
  grantedAt: instant,
  revokedBy: z.string().nullable(),
  revokedAt: instant.nullable(),
  revokeReason: z.string().nullable(),
})

export const list = action({
  name: 'roles.list',
  summary: 'List who holds or held which role, and why; oldest first.',
  input: z.object({
    personId: id('prs').optional(),
    role: role.optional(),
    revoked: z.boolean().default(false),
    ...page,
  }),
  output: z.object({ roles: z.array(grantShape) }),
  access: 'people:read',
  effect: 'read',
  sensitive: true,
  run: async (ctx, input) => ({
    roles: await ctx.tx.many<z.output<typeof grantShape>>(sql('role_list')`
      select r.id, r.person_id as "personId", p.email, r.role, r.reason, r.granted_by as "grantedBy", r.granted_at as "grantedAt",
        r.revoked_by as "revokedBy", r.revoked_at as "revokedAt", r.revoke_reason as "revokeReason"
      from role_grant r join person p on p.id = r.person_id
      where r.organization_id = bursar_organization() and (${input.personId ?? null}::text is null or r.person_id = ${input.personId ?? null})
        and (${input.role ?? null}::text is null or r.role = ${input.role ?? null}) and (${input.revoked} or r.revoked_at is null)
        and (${input.after ?? null}::text is null or r.id > ${input.after ?? null})
      order by r.id limit ${input.limit}`),
  }),
})

export const setPayee = action({
  name: 'people.set_payee',
  summary:
    'Let a learning platform say that somebody may, or may no longer, receive payouts. It can give no other role, whatever the person is there.',
  input: z.object({ personId: id('prs'), payee: z.boolean(), reason }),
  output: z.object({ personId: z.string(), payee: z.boolean(), changed: z.boolean() }),
  access: 'payees:write',
  effect: 'write',
  run: async (ctx, input) => {
    const personId = await personFor(ctx, { personId: input.personId })
    const wish = { personId, role: 'payee', reason: input.reason } as const
    const change = input.payee ? await grantRole(ctx.tx, ctx, wish) : await revokeRole(ctx.tx, ctx, wish)
    if (change !== null) {
      const data = { role: 'payee', change: input.payee ? 'granted' : 'revoked', by: by(ctx) } as const
      await record(ctx.tx, ctx, [{ kind: 'person.role', personId, data }])
    }
    return { personId, payee: input.payee, changed: change !== null }
  },
})

export const roleActions: readonly Action[] = [grant, revoke, list, setPayee]
