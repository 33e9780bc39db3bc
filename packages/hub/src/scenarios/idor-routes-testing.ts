import type { Ada } from './idor-ada-testing.ts'
import type { Asked } from './idor-testing.ts'

export type RoutePlan = {
  readonly asks: readonly Omit<Asked, 'method'>[]
  /** Left out where two answers never are alike: they carry chance, or say by design that something is there. */
  readonly alike?: false
  /** Ends the session that asks, so it comes last. */
  readonly last?: true
}

const wrongToken = 'A'.repeat(43)
const nothing: RoutePlan = { asks: [{ url: '' }] }

/** One's own account, asked for with Ada's ids in the form. */
const accountPlans = ({ ada, one }: Ada): Readonly<Record<string, RoutePlan>> => {
  const { email } = ada
  const account = (path: string, form: Record<string, string>, more: Omit<RoutePlan, 'asks'> = {}) => ({
    [`POST /account${path}`]: { asks: [{ url: `/account${path}`, form }], ...more },
  })
  return {
    'GET /account': { asks: [{ url: '/account' }] },
    ...account('/email', { email }),
    ...account('/email/confirm', { email, code: '123456' }),
    ...account('/end-session', { session: one.userSession }),
    ...account('/erase', { organization: 'alder', confirm: 'erase' }),
    ...account('/export', { organization: 'alder' }),
    ...account('/unlink', { organization: 'alder', issuer: 'http://127.0.0.1/auth', subject: one.user }),
    ...account('/passkeys/added', { passkey: one.passkey }),
    ...account('/passkeys/remove', { passkey: one.passkey }),
    ...account('/password', { password: 'a password of somebody else', email }),
    ...account('/second-factor/backup-codes', { email }),
    ...account('/second-factor/confirm', { code: '123456' }),
    ...account('/second-factor/disable', { email }),
    ...account('/second-factor/enable', { email }, { alike: false, last: true }),
    ...account('/second-factor/prove', { code: '123456' }),
    ...account('/end-others', { session: one.userSession }, { last: true }),
    ...account('/sign-out', { session: one.userSession }, { last: true }),
  }
}

/** The pages that her links and orders lead to. */
const pagePlans = ({ one, orders, secrets, ownToken, links }: Ada): Readonly<Record<string, RoutePlan>> => {
  const ids = Object.values(orders)
  return {
    'GET /api/partner-launch/:enrollmentId': {
      asks: [
        { url: `/api/partner-launch/${one.enrollment}` },
        { url: `/api/partner-launch/${one.enrollment}?token=${wrongToken}` },
        { url: `/api/partner-launch/${one.enrollment}?token=${links.claim}` },
      ],
    },
    'POST /api/partner-launch/:enrollmentId': {
      asks: [
        { url: `/api/partner-launch/${one.enrollment}`, form: {} },
        { url: `/api/partner-launch/${one.enrollment}`, form: { token: wrongToken, redirectTo: '/x' } },
        { url: `/api/partner-launch/${one.enrollment}`, json: { token: secrets.unclaimed } },
      ],
    },
    'GET /orders/:orderRef': {
      asks: ids.flatMap((id) => [
        { url: `/orders/${id}` },
        { url: `/orders/${id}`, headers: { accept: 'application/json' } },
      ]),
    },
    'POST /orders/:orderRef/claim': {
      asks: ids.flatMap((id) => [
        { url: `/orders/${id}/claim`, form: {} },
        { url: `/orders/${id}/claim`, form: { confirm: 'yes' } },
      ]),
    },
    'GET /claim/:token': {
      asks: [{ url: `/claim/${ownToken}` }, { url: `/claim/${wrongToken}` }, { url: `/claim/${links.undo}` }],
    },
    'POST /claim/:token': {
      asks: [
        { url: `/claim/${ownToken}`, form: {} },
        { url: `/claim/${secrets.unclaimed}`, form: {} },
      ],
    },
    'GET /claim/undo/:token': { asks: [{ url: `/claim/undo/${links.claim}` }, { url: `/claim/undo/${wrongToken}` }] },
    'POST /claim/undo/:token': { asks: [{ url: `/claim/undo/${links.claim}`, form: {} }] },
    'GET /sso/:connectionId': { asks: [{ url: `/sso/${one.school}` }], alike: false },
    'POST /sso/:connectionId': { asks: [{ url: `/sso/${one.school}`, form: {} }], alike: false },
  }
}

/**
 * How somebody else would try each route with what they know of Ada: her ids and addresses, and secrets that are not
 * for it. A route without an entry fails the test. `*` is the built-in provider, whose open paths stand in `providerPlans`.
 */
export const routePlans = (it: Ada): Readonly<Record<string, RoutePlan>> => {
  const { one, orders, secrets, ownToken } = it
  const email = it.ada.email
  const ids = Object.values(orders)
  const claims = (json: Record<string, unknown>) =>
    ids.map((orderRef) => ({ url: '/api/onboard-learner', json: { orderRef, ...json } }))
  return {
    ...everywhere(it),
    ...accountPlans(it),
    'POST /api/checkout': {
      asks: [
        {
          url: '/api/checkout',
          json: { organization: 'alder', mode: 'elements', prices: [it.price], email },
          headers: { 'idempotency-key': 'cart-number-1001' },
        },
      ],
      alike: false,
    },
    'POST /api/checkout/status': {
      asks: ids.flatMap((orderRef) => [
        { url: '/api/checkout/status', json: { orderRef } },
        { url: '/api/checkout/status', json: { orderRef, claimSecret: wrongToken } },
        {
          url: '/api/checkout/status',
          json: { orderRef, claimSecret: orderRef === orders.unclaimed ? secrets.pending : secrets.unclaimed },
        },
      ]),
    },
    'POST /api/onboard-learner': {
      asks: [
        ...claims({}),
        ...claims({ confirmEmail: true, email, auth0UserId: one.user }),
        ...claims({ claimSecret: wrongToken, confirmEmail: true }),
        ...claims({ linkToken: ownToken, confirmEmail: true }),
        { url: '/api/onboard-learner', json: { stripePaymentIntentId: it.payment } },
        {
          url: '/api/onboard-learner',
          json: { stripePaymentIntentId: it.payment, organization: 'alder', confirmEmail: true },
        },
      ],
    },
    ...pagePlans(it),
  }
}

const signIns = (it: Ada): Readonly<Record<string, RoutePlan>> => {
  const email = it.ada.email
  const verify = { organization: 'alder', email, code: '000000' }
  return {
    'POST /api/sign-in/code': { asks: [{ url: '/api/sign-in/code', json: { organization: 'alder', email } }] },
    'POST /api/sign-in/verify': { asks: [{ url: '/api/sign-in/verify', json: verify }] },
    'GET /api/sign-in/methods': { asks: [{ url: '/api/sign-in/methods?organization=alder' }] },
    'POST /api/sign-in/exchange': { asks: [{ url: '/api/sign-in/exchange', json: { code: `bsx_${wrongToken}` } }] },
    'POST /api/sign-in/logout/:issuerId': {
      asks: [{ url: `/api/sign-in/logout/${it.one.issuer}`, form: { logout_token: 'garbage' } }],
      alike: false,
    },
    'POST /api/sign-out': { asks: [{ url: '/api/sign-out', json: {} }], last: true },
    'POST /auth/password': { asks: [{ url: '/auth/password', json: { password: 'a password of somebody else' } }] },
    'POST /auth/sign-in/password': {
      asks: [{ url: '/auth/sign-in/password', json: { email, password: 'guessed password' } }],
    },
    'GET /sign-in': { asks: [{ url: `/sign-in?return=/orders/${it.orders.own}&login_hint=${email}` }] },
    'POST /sign-in/code': { asks: [{ url: '/sign-in/code?organization=alder', form: { email } }] },
    'POST /sign-in/verify': { asks: [{ url: '/sign-in/verify?organization=alder', form: { email, code: '000000' } }] },
    'POST /sign-in/password': { asks: [{ url: '/sign-in/password', form: { email, password: 'guessed password' } }] },
    'POST /sign-in/second-factor': { asks: [{ url: '/sign-in/second-factor', form: { code: '000000' } }] },
    'POST /sign-in/done': { asks: [{ url: '/sign-in/done?return=//evil.example', form: {} }] },
    'GET /sign-in/external/:issuerId': {
      asks: [{ url: `/sign-in/external/${it.one.issuer}?login_hint=${email}` }],
      alike: false,
    },
    'GET /sign-in/external/callback': { asks: [{ url: `/sign-in/external/callback?code=x&state=${wrongToken}` }] },
    'POST /sign-in/external/finish': {
      asks: [{ url: '/sign-in/external/finish', form: { code: `bsx_${wrongToken}` } }],
    },
  }
}

const documents = [
  'GET /.well-known/oauth-authorization-server/auth',
  'GET /.well-known/openid-configuration/auth',
  'GET /api/docs',
  'GET /api/docs/docs.css',
  'GET /api/docs/try.js',
  'GET /api/openapi.json',
  'GET /bursar-checkout.js',
  'GET /bursar-checkout.mjs',
  'GET /healthz',
  'GET /readyz',
  'GET /checkout/return',
  'OPTIONS /auth/.well-known/oauth-authorization-server',
  'OPTIONS /auth/.well-known/openid-configuration',
  'OPTIONS /auth/jwks',
  'OPTIONS /auth/oauth2/revoke',
  'OPTIONS /auth/oauth2/token',
  'OPTIONS /auth/oauth2/userinfo',
]

/** Routes that are the same for everybody, or that idor-actions.test.ts walks. */
function everywhere(it: Ada): Readonly<Record<string, RoutePlan>> {
  // Whether a webhook address exists is told: whoever delivers there must learn that its address is wrong.
  const at = (method: string, path: string, url: string, body: object = {}): [string, RoutePlan] => [
    `${method} ${path}`,
    {
      asks: [{ url, ...(method === 'GET' ? {} : { json: body }) }],
      ...(path.endsWith(':connectionId') ? { alike: false } : {}),
    },
  ]
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
  return {
    ...signIns(it),
    ...Object.fromEntries(documents.map((route) => [route, { asks: [{ url: route.split(' ')[1] ?? '' }] }])),
    ...Object.fromEntries([
      ...methods.map((method) => at(method, '/api/stripe/webhook', '/api/stripe/webhook')),
      ...methods.map((method) =>
        at(method, '/api/stripe/webhook/:connectionId', `/api/stripe/webhook/${it.one.payments}`),
      ),
      ...methods.map((method) => at(method, '/api/v1/:action', '/api/v1/orders.get', { orderId: it.orders.own })),
    ]),
    'GET /assets/checkout/:file': { asks: [{ url: '/assets/checkout/licenses.txt' }] },
    'GET /frame/:organization/:element': { asks: [{ url: '/frame/alder/checkout' }] },
    'GET /checkout/:organization': { asks: [{ url: `/checkout/alder?price=${it.price}&email=${it.ada.email}` }] },
    'POST /checkout/start': {
      asks: [
        {
          url: '/checkout/start',
          form: { organization: 'alder', price: it.price, email: it.ada.email, key: 'cart-number-1001' },
        },
      ],
      alike: false,
    },
    'GET /consent': { asks: [{ url: `/consent?client_id=${it.one.client}` }], alike: false },
    'POST /consent': { asks: [{ url: `/consent?client_id=${it.one.client}`, form: { answer: 'allow' } }] },
    'GET *': nothing,
    'POST *': nothing,
  }
}

/** The built-in provider's own protocol, by `METHOD /path` below `/auth`. */
export const providerPlans = (it: Ada): Readonly<Record<string, RoutePlan>> => {
  const { one } = it
  const of = (url: string, json?: object): RoutePlan => ({
    asks: [{ url: `/auth${url}`, ...(json === undefined ? {} : { json }) }],
  })
  const authorize = new URLSearchParams({
    ...{ client_id: one.client, redirect_uri: 'https://school.alder.example/callback', response_type: 'code' },
    ...{
      scope: 'openid email',
      state: 'some-state',
      code_challenge: wrongToken,
      code_challenge_method: 'S256',
      prompt: 'none',
    },
  })
  const token = { token: it.ada.token }
  const form = (url: string, fields: Record<string, string>): RoutePlan => ({
    asks: [{ url: `/auth${url}`, form: fields }],
  })
  // An application's id stands in the address of every sign-in: whether it exists is no secret.
  const client = (url: string, fields: Record<string, string>): RoutePlan => ({ ...form(url, fields), alike: false })
  return {
    'GET /.well-known/openid-configuration': of('/.well-known/openid-configuration'),
    'GET /.well-known/oauth-authorization-server': of('/.well-known/oauth-authorization-server'),
    'GET /jwks': of('/jwks'),
    'GET /oauth2/authorize': { ...of(`/oauth2/authorize?${authorize}`), alike: false },
    'POST /oauth2/authorize': { ...form('/oauth2/authorize', Object.fromEntries(authorize)), alike: false },
    'POST /oauth2/token': client('/oauth2/token', {
      grant_type: 'authorization_code',
      code: 'x',
      client_id: one.client,
      client_secret: 'bcs_x',
    }),
    'POST /oauth2/introspect': client('/oauth2/introspect', {
      ...token,
      client_id: one.client,
      client_secret: 'bcs_x',
    }),
    'POST /oauth2/revoke': client('/oauth2/revoke', { ...token, client_id: one.client, client_secret: 'bcs_x' }),
    'GET /oauth2/userinfo': of('/oauth2/userinfo'),
    'POST /oauth2/userinfo': form('/oauth2/userinfo', {}),
    'GET /oauth2/end-session': { ...of(`/oauth2/end-session?client_id=${one.client}`), last: true, alike: false },
    'POST /oauth2/end-session': { ...form('/oauth2/end-session', { client_id: one.client }), last: true, alike: false },
    'POST /oauth2/end-session/confirm': {
      ...form('/oauth2/end-session/confirm', { client_id: one.client }),
      last: true,
    },
    'POST /oauth2/consent': of('/oauth2/consent', { accept: true, oauth_query: `client_id=${one.client}&sig=x` }),
    'GET /oauth2/public-client': { ...of(`/oauth2/public-client?client_id=${one.client}`), alike: false },
    'GET /oauth2/get-consents': of('/oauth2/get-consents'),
    'POST /oauth2/delete-consent': of('/oauth2/delete-consent', { id: one.consent }),
    'POST /sign-out': { ...of('/sign-out', {}), last: true },
    'POST /sign-in/continue': of('/sign-in/continue', { oauth_query: `client_id=${one.client}&sig=x` }),
    'GET /passkey/generate-register-options': { ...of('/passkey/generate-register-options'), alike: false },
    'POST /passkey/verify-registration': of('/passkey/verify-registration', { response: { id: 'credential-of-ada' } }),
    'GET /passkey/generate-authenticate-options': { ...of('/passkey/generate-authenticate-options'), alike: false },
    'POST /passkey/verify-authentication': of('/passkey/verify-authentication', {
      response: { id: 'credential-of-ada' },
    }),
    'GET /passkey/list-user-passkeys': of('/passkey/list-user-passkeys'),
    'POST /passkey/delete-passkey': of('/passkey/delete-passkey', { id: one.passkey }),
    'POST /passkey/update-passkey': of('/passkey/update-passkey', { id: one.passkey, name: 'Mine' }),
    'POST /two-factor/enable': { ...of('/two-factor/enable', {}), last: true, alike: false },
    'POST /two-factor/disable': of('/two-factor/disable', {}),
    'POST /two-factor/verify-totp': of('/two-factor/verify-totp', { code: '000000' }),
    'POST /two-factor/verify-backup-code': of('/two-factor/verify-backup-code', { code: 'aaaaa-bbbbb' }),
    'POST /two-factor/generate-backup-codes': of('/two-factor/generate-backup-codes', {}),
  }
}
