import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { sql, ts } from '#db/sql.ts'
import type { AuthHome } from './auth.ts'
import { clientSecretPrefix, mintClientSecret, storeClientSecret } from './client-secret.ts'
import { personScopes } from './openid.ts'

export type ClientWish = {
  readonly organization: string
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris?: readonly string[]
  /** `public` for what runs in a browser or on a phone and can keep no secret. Both kinds use PKCE. */
  readonly kind: 'public' | 'confidential'
  /** Puts the address into the ID token, for applications that never ask UserInfo. */
  readonly emailInIdToken?: boolean
  /** For the organization's own applications only: nobody is asked before they learn who signed in. */
  readonly skipConsent?: boolean
  readonly scopes?: readonly string[]
}

export type ServiceWish = {
  readonly organization: string
  readonly name: string
  readonly scopes: readonly string[]
  /** Whose tokens these are; left out: the hub's own API, `<publicUrl>/api`. */
  readonly resource?: string
}

/** `clientSecret` in clear, this once; null for public clients. */
export type Registered = { readonly clientId: string; readonly clientSecret: string | null }

export type ClientEntry = {
  readonly clientId: string
  readonly name: string
  readonly kind: 'public' | 'confidential' | 'service'
  readonly redirectUris: readonly string[]
  readonly scopes: readonly string[]
  readonly createdAt: Instant
}

/** The audience of service tokens for this hub. */
export const apiResource = (app: { readonly publicUrl: string }): string => `${app.publicUrl}/api`

const uriMax = 500
const urisMax = 20

/** https, or http on this machine for whoever develops; no fragment, no credentials, no wildcard. */
function readRedirect(text: string): string {
  const url = text.length <= uriMax && URL.canParse(text) ? new URL(text) : null
  const isLocal = url !== null && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  const isGood =
    url !== null &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal)) &&
    !text.includes('#') &&
    !text.includes('*') &&
    url.username === '' &&
    url.password === ''
  if (!isGood) throw new CodedError('input_invalid', `This cannot be a redirect address: ${text.slice(0, uriMax)}`)
  return text
}

function readScopes(wanted: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = wanted.find((scope) => !known.includes(scope))
  if (unknown !== undefined) throw new CodedError('input_invalid', `There is no scope ${unknown}.`)
  return [...new Set(wanted)]
}

/*
 * The library's own way to register asks for the session of an administrator; there is none in an installation that
 * starts. So the rows are written through its adapter, in its own format, and a test signs in with them.
 */
async function insert(
  home: AuthHome,
  row: Readonly<Record<string, unknown>>,
  secret: string | null,
): Promise<Registered> {
  const { app } = home.deps
  const { adapter } = await home.auth().$context
  const clientId = app.ids.next('cli')
  const now = new Date(app.clock.now())
  await adapter.create({
    model: 'oauthClient',
    data: {
      ...row,
      clientId,
      clientSecret: secret === null ? null : await storeClientSecret.hash(secret),
      disabled: false,
      createdAt: now,
      updatedAt: now,
    },
  })
  return { clientId, clientSecret: secret === null ? null : clientSecretPrefix + secret }
}

/** Registers an application that people of this installation sign in to. Throws `input_invalid`. */
export async function registerClient(home: AuthHome, wish: ClientWish): Promise<Registered> {
  const redirectUris = wish.redirectUris.map(readRedirect)
  const after = (wish.postLogoutRedirectUris ?? []).map(readRedirect)
  if (redirectUris.length === 0 || redirectUris.length > urisMax || after.length > urisMax)
    throw new CodedError('input_invalid', `An application has one to ${urisMax} redirect addresses.`)
  const isPublic = wish.kind === 'public'
  return insert(
    home,
    {
      name: wish.name,
      referenceId: wish.organization,
      redirectUris,
      postLogoutRedirectUris: after,
      scopes: readScopes(wish.scopes ?? personScopes, personScopes),
      clientCredentialsScopes: [],
      tokenEndpointAuthMethod: isPublic ? 'none' : 'client_secret_basic',
      applicationType: 'web',
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      requirePKCE: true,
      skipConsent: wish.skipConsent ?? false,
      enableEndSession: true,
      subjectType: 'public',
      metadata: JSON.stringify({ emailInIdToken: wish.emailInIdToken ?? false }),
    },
    isPublic ? null : mintClientSecret(),
  )
}

/** Registers a program that acts for itself, by client_credentials with `resource`. Throws `input_invalid`. */
export async function registerService(home: AuthHome, wish: ServiceWish): Promise<Registered> {
  const { app, serviceScopes } = home.deps
  const scopes = readScopes(wish.scopes, serviceScopes)
  if (scopes.length === 0) throw new CodedError('input_invalid', 'A service needs at least one scope.')
  const resource = wish.resource ?? apiResource(app)
  const registered = await insert(
    home,
    {
      name: wish.name,
      referenceId: wish.organization,
      redirectUris: [],
      scopes,
      clientCredentialsScopes: scopes,
      tokenEndpointAuthMethod: 'client_secret_basic',
      applicationType: 'web',
      grantTypes: ['client_credentials'],
      responseTypes: [],
      requirePKCE: true,
    },
    mintClientSecret(),
  )
  const now = ts(app.clock.now())
  await app.db.direct(sql('auth_resource')`
    insert into auth."oauthResource" (id, identifier, name, "signingAlgorithm", disabled, "createdAt", "updatedAt")
    values (${app.ids.next('aut')}, ${resource}, ${resource}, 'RS256', false, ${now}, ${now})
    on conflict (identifier) do nothing`)
  await app.db.direct(sql('auth_client_resource')`
    insert into auth."oauthClientResource" (id, "clientId", "resourceId", "createdAt")
    values (${app.ids.next('aut')}, ${registered.clientId}, ${resource}, ${now})`)
  return registered
}

const listMax = 200

/** Clients of an organization, newest first. */
export const listClients = (home: AuthHome, organization: string): Promise<ClientEntry[]> =>
  home.deps.app.db.direct<ClientEntry>(sql('auth_clients')`
    select "clientId", name, "redirectUris", scopes, "createdAt",
      case when "grantTypes" ? 'client_credentials' then 'service'
           when "tokenEndpointAuthMethod" = 'none' then 'public' else 'confidential' end as kind
    from auth."oauthClient" where "referenceId" = ${organization} order by "clientId" desc limit ${listMax}`)

/** Takes a client away with all its tokens. False when the organization has no such client. */
export async function removeClient(home: AuthHome, organization: string, clientId: string): Promise<boolean> {
  const rows = await home.deps.app.db.direct(sql('auth_client_delete')`
    delete from auth."oauthClient" where "clientId" = ${clientId} and "referenceId" = ${organization} returning id`)
  return rows.length > 0
}
