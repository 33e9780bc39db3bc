import { CodedError } from '@bursar/kit/errors.ts'
import { createGuard } from '@bursar/kit/http.ts'
import { z } from 'zod'
import { type Ctx, inTx } from '#action/context.ts'
import { type Action, action } from '#action/define.ts'
import { id, instant, page, secret } from '#action/fields.ts'
import { builtInIssuer } from '#identity/signed-in.ts'
import { addressesOf, checkIssuer } from './check.ts'
import { createIssuerKeys } from './keys.ts'
import { revokeSessionsOfIssuer } from './sessions.ts'
import {
  algorithmChoices,
  deleteIssuer,
  type Issuer,
  type IssuerSettings,
  insertIssuer,
  issuerStates,
  listIssuers,
  lockIssuer,
  sealClientSecret,
  tokenTypes,
  updateIssuer,
} from './store.ts'

const settings = {
  name: z.string().trim().min(1).max(120).describe('What the sign-in page calls it.'),
  audiences: z
    .array(z.string().min(1).max(300))
    .max(10)
    .describe('The values of aud that mean this hub. Not the client id.'),
  clientId: z.string().min(1).max(200).nullable(),
  trustsEmail: z.boolean().describe('Whether its word that an address is verified counts as true here.'),
  signIn: z.boolean().describe('People sign in there, in a popup. Needs clientId and clientSecret.'),
  accessTokens: z.boolean().describe('Requests may carry its access tokens. Needs audiences.'),
  codeChallenge: z
    .boolean()
    .describe(
      'It sends the codes of this organization (Auth0, a feature before general release). Needs trustsEmail and connection.',
    ),
  connection: z.string().min(1).max(120).nullable().describe('The database connection that sends the codes.'),
  algorithms: z.array(z.enum(algorithmChoices)).min(1),
  tokenType: z.enum(tokenTypes).describe('at+jwt: access tokens must say so. any: also those of type JWT or none.'),
}
const clientSecret = secret(z.string().min(16).max(500)).describe('Never shown again.')

const shape = z.object({
  id: z.string(),
  issuer: z.string(),
  ...settings,
  algorithms: z.array(z.enum(algorithmChoices)),
  hasSecret: z.boolean(),
  state: z.enum(issuerStates),
  callbackUrl: z.string().describe('Register this address at the provider.'),
  logoutUrl: z.string().describe('Register this address at the provider as its back-channel logout URL.'),
  createdAt: instant,
})

const shown = (ctx: Ctx, { organization: _o, slug: _s, url, ...it }: Issuer) => ({
  ...it,
  issuer: url,
  audiences: [...it.audiences],
  algorithms: [...it.algorithms],
  ...addressesOf(ctx, it.id),
})

const defaults = {
  audiences: [],
  clientId: null,
  ...{ trustsEmail: false, signIn: false, accessTokens: false, codeChallenge: false },
  connection: null,
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  tokenType: 'at+jwt',
  state: 'active',
} as const satisfies Omit<IssuerSettings, 'name'>

const refuse = (path: string, message: string): never => {
  throw new CodedError('input_invalid', 'The settings do not go together.', { issues: [{ path, message }] })
}

/** The same rules as the table's, told in words and by field. */
function checkSettings(it: IssuerSettings, hasSecret: boolean): void {
  const isClient = it.clientId !== null && hasSecret
  if (it.signIn && !isClient) refuse('signIn', 'needs clientId and clientSecret')
  if (it.accessTokens && it.audiences.length === 0) refuse('accessTokens', 'needs at least one value in audiences')
  if (it.clientId !== null && it.audiences.includes(it.clientId))
    refuse('audiences', 'holds the client id: that is the audience of ID tokens, which are no access tokens')
  if (it.codeChallenge && !isClient) refuse('codeChallenge', 'needs clientId and clientSecret')
  if (it.codeChallenge && it.connection === null) refuse('connection', 'is needed for codeChallenge')
  if (it.codeChallenge && !it.trustsEmail)
    refuse('trustsEmail', 'is needed for codeChallenge: a code proves the mailbox only by the word of who checked it')
}

/** The issuer's own address is called for its keys, so it must be one the hub may call. */
function checkAddress(ctx: Ctx, url: string): void {
  const guard = ctx.guard ?? createGuard({ allowLoopback: ctx.demo })
  const address = guard.check(url)
  if (!address.ok)
    throw new CodedError('address_forbidden', `The hub may not call this issuer: ${address.reason}.`, {
      issues: [{ path: 'issuer', message: address.reason }],
    })
  if (address.url.search !== '' || address.url.hash !== '') refuse('issuer', 'has no query and no fragment')
  // Its people would be those of the built-in provider, who belong to nobody's settings.
  if (url.replace(/\/$/, '') === builtInIssuer(ctx) || address.url.origin === new URL(ctx.publicUrl).origin)
    refuse('issuer', 'is this hub itself')
}

const taken = (error: unknown): never => {
  if ((error as { constraint?: string } | null)?.constraint === 'issuer_of_codes')
    throw new CodedError('conflict', 'Another issuer sends the codes of this organization already.')
  throw error
}

export const issuersAdd = action({
  name: 'issuers.add',
  summary: 'Put an identity provider on the allow list. What it may do is off until it is switched on.',
  input: z.object({
    issuer: z.url().max(300).describe('Exactly as the provider writes it, slash at the end included.'),
    name: settings.name,
    clientSecret: clientSecret.optional(),
    ...z.object(settings).omit({ name: true }).partial().shape,
  }),
  output: shape,
  access: 'identity:write',
  secondFactor: true,
  effect: 'write',
  examples: [
    {
      summary: 'Auth0, people sign in there',
      input: {
        issuer: 'https://tenant.eu.auth0.com/',
        name: 'Alder account',
        clientId: 'hQ3…',
        clientSecret: 'from the Auth0 dashboard',
        signIn: true,
      },
    },
  ],
  run: async (ctx, { issuer: url, clientSecret: given, ...wish }) => {
    checkAddress(ctx, url)
    const it: IssuerSettings = { ...defaults, ...present(wish), name: wish.name }
    checkSettings(it, given !== undefined)
    const id = ctx.ids.next('iss')
    const sealed = given === undefined ? null : sealClientSecret(ctx.secrets, id, given)
    const made = await insertIssuer(ctx.tx, { ...it, id, organization: ctx.organization, url }, sealed).catch(taken)
    if (!made) throw new CodedError('already_exists', 'This issuer is on the list already; use issuers.update.')
    const row = await lockIssuer(ctx.tx, id)
    if (row === null) throw new Error(`issuer ${id} vanished in its own transaction`)
    return shown(ctx, row)
  },
})

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> }
/** Without the fields that were left out. */
const present = <T extends object>(given: T): Partial<Present<T>> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<Present<T>>

export const issuersUpdate = action({
  name: 'issuers.update',
  summary: 'Change an identity provider of the allow list. What is left out stays; its address cannot change.',
  input: z.object({
    issuerId: id('iss'),
    clientSecret: clientSecret.optional(),
    state: z
      .enum(issuerStates)
      .optional()
      .describe('paused: nobody from there is signed in, and no session of theirs counts.'),
    ...z.object(settings).partial().shape,
  }),
  output: shape,
  access: 'identity:write',
  secondFactor: true,
  effect: 'write',
  examples: [
    {
      summary: 'Its word about addresses counts',
      input: { issuerId: 'iss_01k5qj5w3m8f2a9c4r7t6y1b0d', trustsEmail: true },
    },
  ],
  run: async (ctx, { issuerId, clientSecret: given, ...wish }) => {
    const before = await lockIssuer(ctx.tx, issuerId)
    if (before === null) throw new CodedError('not_found', 'There is no such issuer.')
    const it: IssuerSettings = { ...before, ...present(wish) }
    checkSettings(it, before.hasSecret || given !== undefined)
    const sealed = given === undefined ? null : sealClientSecret(ctx.secrets, issuerId, given)
    await updateIssuer(ctx.tx, issuerId, it, sealed).catch(taken)
    const row = await lockIssuer(ctx.tx, issuerId)
    if (row === null) throw new Error(`issuer ${issuerId} vanished under its lock`)
    return shown(ctx, row)
  },
})

export const issuersList = action({
  name: 'issuers.list',
  summary: 'List the identity providers this organization trusts, and for what; never their secrets.',
  input: z.object(page),
  output: z.object({ issuers: z.array(shape) }),
  access: 'identity:read',
  effect: 'read',
  run: async (ctx, input) => {
    const issuers = await listIssuers(ctx.tx, { after: input.after ?? null, limit: input.limit })
    return { issuers: issuers.map((it) => shown(ctx, it)) }
  },
})

export const issuersRemove = action({
  name: 'issuers.remove',
  summary:
    'Take an identity provider off the allow list and end all sessions that came from it. People and seats stay.',
  input: z.object({ issuerId: id('iss') }),
  output: z.object({ issuer: z.string(), sessionsEnded: z.number().int() }),
  access: 'identity:write',
  secondFactor: true,
  effect: 'write',
  run: async (ctx, { issuerId }) => {
    const row = await lockIssuer(ctx.tx, issuerId)
    if (row === null) throw new CodedError('not_found', 'There is no such issuer.')
    const sessionsEnded = await revokeSessionsOfIssuer(ctx.tx, row.organization, row.url)
    await deleteIssuer(ctx.tx, issuerId)
    return { issuer: row.url, sessionsEnded }
  },
})

export const issuersCheck = action({
  name: 'issuers.check',
  summary: 'Ask an identity provider whether the settings work, and say what to mend. Sends no mail, signs nobody in.',
  input: z.object({ issuerId: id('iss') }),
  output: z.object({
    usable: z.boolean().nullable().describe('Null in a dry run: nobody was asked.'),
    findings: z.array(
      z.object({
        code: z.string(),
        level: z.enum(['ok', 'warning', 'problem']),
        message: z.string(),
        fix: z.string().nullable(),
      }),
    ),
  }),
  access: 'identity:write',
  effect: 'outside',
  run: async (ctx, { issuerId }) => {
    const issuer = await inTx(ctx, (tx) => lockIssuer(tx, issuerId))
    if (issuer === null) throw new CodedError('not_found', 'There is no such issuer.')
    if (ctx.dryRun) return { usable: null, findings: [] }
    const findings = await checkIssuer({ app: ctx, keys: createIssuerKeys(ctx) }, issuer)
    return { usable: !findings.some((it) => it.level === 'problem'), findings: [...findings] }
  },
})

export const issuerActions: readonly Action[] = [issuersAdd, issuersUpdate, issuersList, issuersRemove, issuersCheck]
