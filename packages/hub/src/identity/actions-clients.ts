import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { allows, operatorScope } from '#action/caller.ts'
import type { Ctx } from '#action/context.ts'
import { type Action, action } from '#action/define.ts'
import { instant, secret } from '#action/fields.ts'
import type { Database } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import type { Provider } from './provider/provider.ts'

type Clients = Provider['clients']

const provided = new WeakMap<Database, Clients>()

/** Called once where the process is put together. */
export const provideClients = (db: Database, clients: Clients): void => void provided.set(db, clients)

/** Throws when `main` has not provided them: that is a bug. */
function clientsOf(ctx: Pick<Ctx, 'db'>): Clients {
  const clients = provided.get(ctx.db)
  if (clients === undefined) throw new Error('the clients of the built-in provider were not provided')
  return clients
}

const name = z.string().trim().min(1).max(120)
const address = z.string().min(1).max(500)
const registered = z.object({
  clientId: z.string().nullable().describe('Null in a dry run.'),
  clientSecret: secret(
    z.string().nullable().describe('Shown this once. Null for a public client and when the same request is repeated.'),
  ),
})

/**
 * The built-in provider's people are the installation's: without consent, one click on one organization's link would
 * tell it who somebody of another is.
 */
const isShared = async ({ db }: Pick<Ctx, 'db'>): Promise<boolean> =>
  (await db.direct(sql('organizations_two')`select 1 from organization limit 2`)).length > 1

export const clientsRegister = action({
  name: 'clients.register',
  summary:
    'Register an application that people sign in to with this hub: a school, a portal, an app. OpenID Connect, code with PKCE.',
  input: z.object({
    name,
    redirectUris: z.array(address).min(1).max(20),
    postLogoutRedirectUris: z.array(address).max(20).optional(),
    kind: z
      .enum(['confidential', 'public'])
      .default('confidential')
      .describe('public: runs in a browser or on a phone and keeps no secret.'),
    emailInIdToken: z
      .boolean()
      .default(false)
      .describe('For applications that never ask UserInfo for the address, such as LearnWorlds.'),
    skipConsent: z
      .boolean()
      .default(false)
      .describe(
        'For your own applications only: nobody is asked before the application learns who signed in. Where several organizations share a hub, its operator decides this.',
      ),
  }),
  output: registered,
  access: 'identity:write',
  effect: 'outside',
  secondFactor: true,
  examples: [
    {
      summary: 'A LearnWorlds school',
      input: {
        name: 'Harbour School',
        redirectUris: ['https://school.example/auth/callback'],
        kind: 'confidential',
        emailInIdToken: true,
        skipConsent: true,
      },
    },
  ],
  run: async (ctx, input) => {
    if (input.skipConsent && !allows(ctx.scopes, operatorScope) && (await isShared(ctx)))
      throw new CodedError(
        'forbidden',
        'People of other organizations sign in at this hub: its operator registers this.',
      )
    if (ctx.dryRun) return { clientId: null, clientSecret: null }
    const { postLogoutRedirectUris, ...rest } = input
    return clientsOf(ctx).register({
      ...rest,
      ...(postLogoutRedirectUris === undefined ? {} : { postLogoutRedirectUris }),
      organization: ctx.organization,
    })
  },
})

export const clientsRegisterService = action({
  name: 'clients.register_service',
  summary:
    'Register a program that calls this hub with tokens of an hour instead of a key: OAuth client credentials for one resource.',
  input: z.object({ name, scopes: z.array(z.string().min(3).max(80)).min(1).max(50) }),
  output: registered,
  access: 'keys:write',
  effect: 'outside',
  secondFactor: true,
  examples: [{ summary: 'A reporting job', input: { name: 'Reports', scopes: ['orders:read'] } }],
  run: async (ctx, input) => {
    const lacking = input.scopes.find((scope) => !allows(ctx.scopes, scope))
    if (lacking !== undefined)
      throw new CodedError('forbidden', `You do not hold ${lacking}, so you cannot pass it on.`, { scope: lacking })
    if (ctx.dryRun) return { clientId: null, clientSecret: null }
    return clientsOf(ctx).registerService({ ...input, organization: ctx.organization })
  },
})

export const clientsList = action({
  name: 'clients.list',
  summary: 'List the applications and programs registered with the built-in provider, never their secrets.',
  input: z.object({}),
  output: z.object({
    clients: z.array(
      z.object({
        clientId: z.string(),
        name: z.string(),
        kind: z.enum(['public', 'confidential', 'service']),
        redirectUris: z.array(z.string()),
        scopes: z.array(z.string()),
        createdAt: instant,
      }),
    ),
  }),
  access: 'identity:read',
  effect: 'outside',
  run: async (ctx) => {
    const clients = await clientsOf(ctx).list(ctx.organization)
    return { clients: clients.map((c) => ({ ...c, redirectUris: [...c.redirectUris], scopes: [...c.scopes] })) }
  },
})

export const clientsRemove = action({
  name: 'clients.remove',
  summary: 'Remove an application or program. Its tokens end, and people can no longer sign in to it with this hub.',
  input: z.object({ clientId: z.string().min(1).max(80) }),
  output: z.object({ clientId: z.string() }),
  access: 'identity:write',
  effect: 'outside',
  secondFactor: true,
  run: async (ctx, { clientId }) => {
    if (ctx.dryRun) return { clientId }
    const removed = await clientsOf(ctx).remove(ctx.organization, clientId)
    if (!removed) throw new CodedError('not_found', `There is no client ${clientId} here.`)
    return { clientId }
  },
})

export const clientActions: readonly Action[] = [clientsRegister, clientsRegisterService, clientsList, clientsRemove]
