import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { allows, isScope, operatorScope } from '#action/caller.ts'
import { type Action, type ActionCtx, action } from '#action/define.ts'
import { id, instant, page, secret } from '#action/fields.ts'
import { forgetKey } from './authenticate.ts'
import { type ApiKey, createKey, listKeys, revokeKey } from './keys.ts'
import {
  createOrganization,
  disputePolicies,
  getOrganization,
  listOrganizations,
  prepareSeatChoices,
  updateOrganization,
} from './organizations.ts'

const organization = z.object({
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  prepareSeat: z.enum(prepareSeatChoices),
  disputePolicy: z.enum(disputePolicies),
  graceDays: z.number().int(),
  guestAccess: z.boolean(),
  createdAt: instant,
})

const key = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  expiresAt: instant.nullable(),
  revokedAt: instant.nullable(),
  lastUsedAt: instant.nullable(),
  createdAt: instant,
})

const shownOnce = secret(
  z.string().nullable().describe('The key in clear, shown this once. Null when the same request is repeated.'),
)
const name = z.string().trim().min(1).max(120)
const scope = z
  .string()
  .refine((text) => text === '*' || isScope(text), 'a scope is *, operator, slice:read or slice:write')

export const organizationsCreate = action({
  name: 'organizations.create',
  summary: 'Open a new organization and its first key, which may do everything inside it.',
  input: z.object({
    name,
    slug: z.string().regex(/^[a-z0-9][a-z0-9-]{1,39}$/, 'lower case letters, digits and dashes, 2 to 40'),
  }),
  output: z.object({ organization, key, secret: shownOnce }),
  access: operatorScope,
  effect: 'write',
  acrossTenants: true,
  examples: [{ summary: 'A new school', input: { name: 'Alder School', slug: 'alder' } }],
  run: async (ctx, input) => {
    const made = await createOrganization(ctx.tx, ctx, input)
    if (made === null) throw new CodedError('already_exists', `The slug ${input.slug} is taken.`)
    const first = { organization: made.id, name: 'First key', scopes: ['*'], expiresAt: null }
    const { key, secret } = await createKey(ctx.tx, ctx, first)
    return { organization: made, key: shown(key), secret }
  },
})

export const organizationsList = action({
  name: 'organizations.list',
  summary: 'List all organizations of this hub, oldest first.',
  input: z.object(page),
  output: z.object({ organizations: z.array(organization) }),
  access: operatorScope,
  effect: 'read',
  acrossTenants: true,
  run: async (ctx, input) => ({
    organizations: await listOrganizations(ctx.tx, { after: input.after ?? null, limit: input.limit }),
  }),
})

export const organizationsGet = action({
  name: 'organizations.get',
  summary: 'Show the organization this key belongs to.',
  input: z.object({}),
  output: organization,
  access: 'organizations:read',
  effect: 'read',
  run: (ctx) => getOrganization(ctx.tx, ctx.organization),
})

export const organizationsUpdate = action({
  name: 'organizations.update',
  summary: 'Change the settings of the organization this key belongs to. What is left out stays.',
  input: z.object({
    name: name.optional(),
    prepareSeat: z.enum(prepareSeatChoices).optional().describe('When a seat is prepared for an unproven buyer.'),
    disputePolicy: z.enum(disputePolicies).optional().describe('What happens to access while a dispute is open.'),
    graceDays: z.number().int().min(0).max(90).optional().describe('Days of access after a renewal failed.'),
    guestAccess: z
      .boolean()
      .optional()
      .describe('Whether links may be made that open a course for whoever holds them.'),
  }),
  output: organization,
  access: 'organizations:write',
  effect: 'write',
  examples: [{ summary: 'Two weeks of grace', input: { graceDays: 14 } }],
  run: (ctx, input) => updateOrganization(ctx.tx, ctx.organization, input),
})

export const keysCreate = action({
  name: 'keys.create',
  summary: 'Make an API key. It can hold no scope that the calling key lacks, and is shown only once.',
  input: z.object({
    name,
    scopes: z.array(scope).min(1).max(50),
    expiresAt: instant.optional(),
  }),
  output: z.object({ key, secret: shownOnce }),
  access: 'keys:write',
  effect: 'write',
  examples: [{ summary: 'A key that only reads orders', input: { name: 'Dashboard', scopes: ['orders:read'] } }],
  run: async (ctx, input) => {
    refuseEscalation(ctx, input.scopes)
    const expiresAt = input.expiresAt ?? null
    if (expiresAt !== null && expiresAt <= ctx.tx.now) {
      throw new CodedError('input_invalid', 'The key would be expired already.', {
        issues: [{ path: 'expiresAt', message: 'lies in the past' }],
      })
    }
    const { name, scopes } = input
    const made = await createKey(ctx.tx, ctx, { organization: ctx.organization, name, scopes, expiresAt })
    return { key: shown(made.key), secret: made.secret }
  },
})

/** A key passes on at most what it holds itself; otherwise `keys:write` would be the key to everything. */
function refuseEscalation(ctx: ActionCtx, wanted: readonly string[]): void {
  const lacking = wanted.find((it) => (it === '*' ? !ctx.scopes.includes('*') : !allows(ctx.scopes, it)))
  if (lacking !== undefined) {
    throw new CodedError('forbidden', `This key does not hold ${lacking}, so it cannot pass it on.`, { scope: lacking })
  }
}

export const keysList = action({
  name: 'keys.list',
  summary: 'List the API keys of this organization, newest first, never their secrets.',
  input: z.object(page),
  output: z.object({ keys: z.array(key) }),
  access: 'keys:read',
  effect: 'read',
  run: async (ctx, input) => {
    const keys = await listKeys(ctx.tx, { after: input.after ?? null, limit: input.limit })
    return { keys: keys.map(shown) }
  },
})

export const keysRevoke = action({
  name: 'keys.revoke',
  summary: 'End an API key for good. Other processes of the hub notice within ten seconds.',
  input: z.object({ keyId: id('key') }),
  output: key,
  access: 'keys:write',
  effect: 'write',
  run: async (ctx, input) => {
    const revoked = await revokeKey(ctx.tx, input.keyId)
    if (revoked === null) throw new CodedError('not_found', `There is no key ${input.keyId} here.`)
    if (!ctx.dryRun) forgetKey(ctx.db, input.keyId)
    return shown(revoked)
  },
})

const shown = (it: ApiKey) => ({ ...it, scopes: [...it.scopes] })

export const identityActions: readonly Action[] = [
  organizationsCreate,
  organizationsList,
  organizationsGet,
  organizationsUpdate,
  keysCreate,
  keysList,
  keysRevoke,
]
