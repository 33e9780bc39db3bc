import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Action, action } from '#action/define.ts'
import { id, page } from '#action/fields.ts'
import { normalizeEmail } from '#identity/people.ts'
import { changeEmail } from './email.ts'
import { unlinkIdentity } from './link.ts'
import { mergePeople } from './merge.ts'
import { refuseMightier } from './privilege.ts'
import { accountsOf, customersOf, identitiesOf, peopleOf, sessionCount } from './read.ts'
import { accountShape, customerShape, identityShape, mergeShape, personShape } from './shape.ts'

const reason = z.string().trim().min(3).max(300).describe('Why. It stands in the audit.')

export const list = action({
  name: 'people.list',
  summary: 'Find people by their exact e-mail address or id, or list all, oldest first.',
  input: z.object({ personId: id('prs').optional(), email: z.string().max(254).optional(), ...page }),
  output: z.object({ people: z.array(personShape) }),
  access: 'people:read',
  effect: 'read',
  sensitive: true,
  run: async (ctx, input) => {
    const email = input.email === undefined ? null : normalizeEmail(input.email)
    const { personId = null, after = null, limit } = input
    return { people: await peopleOf(ctx.tx, { id: personId, email, after, limit }) }
  },
})

export const get = action({
  name: 'people.get',
  summary: 'Show one person: identities, roles, payment customers, school accounts and open sessions.',
  input: z.object({ personId: id('prs') }),
  output: z.object({
    person: personShape,
    identities: z.array(identityShape),
    customers: z.array(customerShape),
    accounts: z.array(accountShape),
    sessions: z.number().int().describe('Open sessions of outside identity providers.'),
  }),
  access: 'people:read',
  effect: 'read',
  sensitive: true,
  run: async ({ tx }, { personId }) => {
    const [person] = await peopleOf(tx, { id: personId, limit: 1 })
    if (person === undefined) throw new CodedError('not_found', 'There is no such person.')
    return {
      person,
      identities: await identitiesOf(tx, personId),
      customers: await customersOf(tx, personId),
      accounts: await accountsOf(tx, personId),
      sessions: await sessionCount(tx, personId),
    }
  },
})

export const merge = action({
  name: 'people.merge',
  summary:
    'Make one person of two, for good: purchases, access, identities and roles of the first go to the second. A dry run shows what would go.',
  input: z.object({
    fromPersonId: id('prs').describe('Who joins the other.'),
    personId: id('prs').describe('Who stays.'),
    reason,
    staffAccounts: z.boolean().default(false).describe('Also when one of them has a staff account at a school.'),
  }),
  output: mergeShape,
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, input) => {
    await refuseMightier(ctx, [input.fromPersonId, input.personId])
    return mergePeople(ctx.tx, ctx, {
      from: input.fromPersonId,
      into: input.personId,
      evidence: { kind: 'operator', reason: input.reason, staffAccounts: input.staffAccounts },
    })
  },
})

export const setEmail = action({
  name: 'people.change_email',
  summary:
    'Correct a person\u2019s e-mail address here and at the schools. It proves nothing: a mailbox leads to a person only by a code sent to it.',
  input: z.object({ personId: id('prs'), email: z.string().min(3).max(254), reason }),
  output: z.object({
    outcome: z.enum(['changed', 'same']),
    schools: z.number().int().describe('How many school accounts are told by a job.'),
  }),
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, input) => {
    await refuseMightier(ctx, [input.personId])
    return changeEmail(ctx.tx, ctx, input.personId, {
      newEmail: input.email,
      by: { kind: 'operator', reason: input.reason },
    })
  },
})

export const unlink = action({
  name: 'people.unlink_identity',
  summary: 'Take one way to sign in away from a person, for a reason. The last one stays.',
  input: z.object({ personId: id('prs'), issuer: z.string().max(300), subject: z.string().max(300), reason }),
  output: z.object({ identities: z.array(identityShape) }),
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, input) => {
    await refuseMightier(ctx, [input.personId])
    await unlinkIdentity(ctx, input.personId, input)
    return { identities: await identitiesOf(ctx.tx, input.personId) }
  },
})

export const operatorActions: readonly Action[] = [list, get, merge, setEmail, unlink]
