import { createHash } from 'node:crypto'
import type { SimReply, SimRequest, SimRoute } from '#simulator/server.ts'
import { loginPage } from './page.ts'
import {
  accessTokenOf,
  type Grant,
  type IdentityWorld,
  idTokenOf,
  issuerOf,
  profileOf,
  type SimClient,
  secret,
} from './world.ts'

export const oauthError = (status: number, error: string, description: string): SimReply => ({
  status,
  body: { error, error_description: description },
})

const discovery = (world: IdentityWorld): SimReply => ({
  status: 200,
  body: {
    issuer: issuerOf(world),
    authorization_endpoint: `${world.url}/authorize`,
    token_endpoint: `${world.url}/oauth/token`,
    userinfo_endpoint: `${world.url}/userinfo`,
    jwks_uri: `${world.url}/.well-known/jwks.json`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'ES256', 'EdDSA'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    authorization_response_iss_parameter_supported: world.flavour === 'plain',
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  },
})

const back = (uri: string, params: Readonly<Record<string, string | null>>): SimReply => {
  const url = new URL(uri)
  for (const [name, value] of Object.entries(params)) if (value !== null) url.searchParams.set(name, value)
  return { status: 302, headers: { location: url.href } }
}

/** The login itself: for whoever approves automatically, or whoever the form names. */
function approve(world: IdentityWorld, query: URLSearchParams, sub: string): SimReply {
  const user = world.users.get(sub)
  const redirectUri = query.get('redirect_uri') ?? ''
  const iss = world.flavour === 'plain' ? issuerOf(world) : null
  const state = query.get('state')
  if (user === undefined || user.blocked)
    return back(redirectUri, { error: 'access_denied', error_description: 'no such user', state, iss })
  const code = secret(world, 'code')
  world.codes.set(code, {
    sub,
    clientId: query.get('client_id') ?? '',
    redirectUri,
    nonce: query.get('nonce'),
    challenge: query.get('code_challenge'),
    scope: query.get('scope') ?? '',
    sid: secret(world, 'sid'),
    authTime: world.clock.now(),
    strong: user.secondFactor,
    used: false,
  })
  return back(redirectUri, { code, state, iss })
}

function authorize(world: IdentityWorld, query: URLSearchParams): SimReply | null {
  const client = world.clients.get(query.get('client_id') ?? '')
  const redirectUri = query.get('redirect_uri') ?? ''
  // Never redirected: an address that nobody registered gets nothing.
  if (client === undefined) return { status: 400, body: 'unknown client' }
  if (!client.redirectUris.includes(redirectUri)) return { status: 400, body: `callback URL mismatch: ${redirectUri}` }
  if (query.get('response_type') !== 'code')
    return back(redirectUri, { error: 'unsupported_response_type', state: query.get('state') })
  if (query.get('code_challenge_method') !== 'S256')
    return back(redirectUri, {
      error: 'invalid_request',
      error_description: 'PKCE S256 is required',
      state: query.get('state'),
    })
  return null
}

const form = (request: SimRequest): URLSearchParams => new URLSearchParams(request.body.toString())

/** The client by Basic or by fields; a string says what is wrong. */
export function clientOf(world: IdentityWorld, request: SimRequest, fields: URLSearchParams): SimClient | string {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  const [basicId, basicSecret] =
    basic === undefined ? [] : Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
  const client = world.clients.get(basicId ?? fields.get('client_id') ?? '')
  if (client === undefined) return 'unknown client'
  if (client.secret !== null && client.secret !== (basicSecret ?? fields.get('client_secret'))) return 'Unauthorized'
  return client
}

/** What a grant yields; also registers the refresh token and the access token for UserInfo. */
export function tokensOf(world: IdentityWorld, grant: Grant, family = secret(world, 'family')): SimReply {
  const accessToken = accessTokenOf(world, { sub: grant.sub, sid: grant.sid, client_id: grant.clientId })
  const refreshToken = secret(world, 'refresh')
  world.tokens.set(accessToken, grant)
  world.refresh.set(refreshToken, { ...grant, used: false, family })
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: {
      access_token: accessToken,
      id_token: idTokenOf(world, grant),
      ...(grant.scope.includes('offline_access') ? { refresh_token: refreshToken } : {}),
      token_type: 'Bearer',
      expires_in: 600,
      scope: grant.scope,
    },
  }
}

function byCode(world: IdentityWorld, client: SimClient, fields: URLSearchParams): SimReply {
  const grant = world.codes.get(fields.get('code') ?? '')
  const verifier = createHash('sha256')
    .update(fields.get('code_verifier') ?? '')
    .digest('base64url')
  if (grant === undefined || grant.used || grant.clientId !== client.id)
    return oauthError(400, 'invalid_grant', 'Invalid authorization code')
  grant.used = true
  if (grant.redirectUri !== fields.get('redirect_uri')) return oauthError(400, 'invalid_grant', 'redirect_uri differs')
  if (grant.challenge !== verifier) return oauthError(400, 'invalid_grant', 'Failed to verify code verifier')
  return tokensOf(world, grant)
}

/** Rotation: an old refresh token that comes again ends its whole family. */
function byRefresh(world: IdentityWorld, client: SimClient, fields: URLSearchParams): SimReply {
  const grant = world.refresh.get(fields.get('refresh_token') ?? '')
  if (grant === undefined || grant.clientId !== client.id)
    return oauthError(400, 'invalid_grant', 'Unknown refresh token')
  if (grant.used) world.deadFamilies.add(grant.family)
  if (world.deadFamilies.has(grant.family)) return oauthError(400, 'invalid_grant', 'Reused refresh token')
  grant.used = true
  return tokensOf(world, grant, grant.family)
}

export type GrantHandler = (request: SimRequest, fields: URLSearchParams) => SimReply

const userinfo = (world: IdentityWorld, request: SimRequest): SimReply => {
  const grant = world.tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '')
  const user = grant === undefined ? undefined : world.users.get(grant.sub)
  if (user === undefined) return oauthError(401, 'invalid_token', 'no such token')
  return { status: 200, body: { sub: user.sub, ...profileOf(user) } }
}

/** An OpenID provider as far as a relying party meets it. `grants` adds further grant types by name. */
export const oidcRoutes = (world: IdentityWorld, grants: Readonly<Record<string, GrantHandler>>): SimRoute[] => [
  { method: 'GET', pattern: '/.well-known/openid-configuration', handle: () => discovery(world) },
  {
    method: 'GET',
    pattern: '/.well-known/jwks.json',
    handle: () => ({ status: 200, body: { keys: world.keys.filter((key) => key.published).map((key) => key.jwk) } }),
  },
  {
    method: 'GET',
    pattern: '/authorize',
    handle: ({ query }) =>
      authorize(world, query) ??
      (world.approves === null ? loginPage(query, world) : approve(world, query, world.approves)),
  },
  {
    method: 'POST',
    pattern: '/authorize',
    handle: (request) => {
      const fields = form(request)
      const email = fields.get('username') ?? ''
      const user = [...world.users.values()].find((it) => it.email === email)
      return authorize(world, request.query) ?? approve(world, request.query, user?.sub ?? '')
    },
  },
  {
    method: 'POST',
    pattern: '/oauth/token',
    handle: (request) => {
      const fields = form(request)
      const type = fields.get('grant_type') ?? ''
      const more = grants[type]
      if (more !== undefined) return more(request, fields)
      const client = clientOf(world, request, fields)
      if (typeof client === 'string') return oauthError(401, 'invalid_client', client)
      if (type === 'authorization_code') return byCode(world, client, fields)
      if (type === 'refresh_token') return byRefresh(world, client, fields)
      return oauthError(400, 'unsupported_grant_type', type)
    },
  },
  { method: 'GET', pattern: '/userinfo', handle: (request) => userinfo(world, request) },
]
