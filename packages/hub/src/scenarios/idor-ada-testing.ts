import { minute } from '@bursar/kit/clock.ts'
import { sql } from '#db/sql.ts'
import { type IssuerSettings, insertIssuer, sealClientSecret } from '#identity/issuers/store.ts'
import { browser } from '#identity/issuers/testing.ts'
import { mailsTo } from '#mail/testing.ts'
import { bearer, type Doors, type Someone, slugA } from './idor-testing.ts'

/** Everything Ada and her organization have that somebody else might ask for by its id. */
export type Ada = {
  readonly ada: Someone
  readonly eve: Someone
  readonly zoe: Someone
  readonly mallory: Someone
  /** Signed in at the organization's own provider. */
  readonly annToken: string
  /** Her addresses. None of them may stand in an answer to anybody else. */
  readonly addresses: readonly string[]
  /** Orders: her own, paid and unclaimed, not paid, a gift, one in a case, one claimed from another mailbox, refunded. */
  readonly orders: Readonly<
    Record<'own' | 'unclaimed' | 'pending' | 'gift' | 'disputed' | 'differs' | 'refunded', string>
  >
  readonly secrets: Readonly<Record<'unclaimed' | 'pending' | 'spent', string>>
  readonly links: Readonly<Record<'claim' | 'undo' | 'guest', string>>
  readonly ownToken: string
  readonly one: Readonly<Record<AdaId, string>>
  readonly price: string
  readonly payment: string
  readonly session: string
}

const idQueries = {
  line: (o) => `select id from order_line where order_id = '${o.own}'`,
  enrollment: (o) =>
    `select n.id from enrollment n join "order" o on o.person_id = n.person_id where o.id = '${o.own}'`,
  entitlement: (o) => `select id from entitlement where order_id = '${o.own}'`,
  account: (o) => `select a.id from lms_account a join "order" o on o.person_id = a.person_id where o.id = '${o.own}'`,
  refund: (o) => `select id from refund where order_id = '${o.refunded}'`,
  refundLine: (o) => `select id from order_line where order_id = '${o.refunded}'`,
  case: (o) => `select id from access_case where order_id = '${o.disputed}'`,
  claim: (o) => `select id from claim where order_id = '${o.own}'`,
  privacy: () => `select id from privacy_request`,
  event: () => `select id from inbound_event order by id desc`,
  school: () => `select id from connection where category = 'lms'`,
  payments: () => `select id from connection where category = 'payment'`,
  course: () => `select id from course order by id`,
  product: () => `select id from product order by id`,
  issuer: () => `select id from issuer`,
  userSession: (_, { ada }) =>
    `select s.id from auth.session s join auth."user" u on u.id = s."userId" where u.email = '${ada.email}'`,
  user: (_, { ada }) => `select id from auth."user" where email = '${ada.email}'`,
} as const satisfies Record<string, (orders: Ada['orders'], people: { readonly ada: Someone }) => string>

type AdaId = keyof typeof idQueries | 'passkey' | 'consent' | 'client' | 'key'

/** Fills the first organization with Ada's life, and lets Eve, Zoe and Mallory live beside her. */
export async function adaIn(d: Doors): Promise<Ada> {
  const { world } = d
  const price = await world.sell('Sourdough', 4_900, ['sourdough-basics'])
  const other = await world.sell('Pastry', 1_900, ['pastry-foundations'])
  const [ada, eve, zoe] = [
    await d.signIn('ada@alder.example'),
    await d.signIn('eve@alder.example'),
    await d.signIn('zoe@alder.example'),
  ]
  const mallory = await d.signIn('mallory@rival.example', 'rivals')
  const { session, orders, secrets } = await purchases(d, { price, other, ada, eve, zoe })
  const annToken = await annIn(d)
  await d.ask({ url: '/api/v1/me.request_export', json: {} }, { name: 'Ada', headers: bearer(ada.token) })
  await d.act('roles.grant', { personId: ada.personId, role: 'payee', reason: 'Teaches' })
  await d.act('origins.add', { origin: 'https://shop.alder.example' })
  await world.settle(minute)
  const one = await idsOf(d, orders, ada)
  const links = {
    claim: await linkTo(d, 'ada.work@alder.example', /\/claim\/([\w-]{43})$/),
    undo: await linkTo(d, 'ada.home@alder.example', /\/claim\/undo\/([\w-]{43})$/),
    guest:
      new URL(
        (await d.act<{ url: string }>('launch.mint_link', { enrollmentId: one.enrollment })).url,
      ).searchParams.get('token') ?? '',
  }
  const minted = await d.ask(
    { url: '/api/v1/launch.mint_own', json: { enrollmentId: one.enrollment } },
    { name: 'Ada', headers: bearer(ada.token) },
  )
  const { payment_intent: payment } = world.stripe.session(session) ?? {}
  return {
    ...{ ada, eve, zoe, mallory, annToken, orders, secrets, links, one, price, session },
    addresses: [
      ada.email,
      'ada.work@alder.example',
      'ada.home@alder.example',
      'grandma@alder.example',
      'ann@alder.example',
    ],
    ownToken: String(minted.json.token),
    payment: typeof payment === 'string' ? payment : (payment?.id ?? ''),
  }
}

type Buyers = Readonly<Record<'ada' | 'eve' | 'zoe', Someone>> & { readonly price: string; readonly other: string }

/** Each way in which a purchase can stand. */
async function purchases(d: Doors, { price, other, ada, eve, zoe }: Buyers) {
  const { world } = d
  const buying = buyingIn(d, price)
  const own = await buying.begin({}, ada)
  const eves = await buying.begin({ prices: [other] }, eve)
  const unclaimed = await buying.begin({})
  const pending = await buying.begin({})
  const gift = await buying.begin({ gift: { email: 'grandma@alder.example', message: 'For you' } }, ada)
  const disputed = await buying.begin({})
  const differs = await buying.begin({})
  const refunded = await buying.begin({ prices: [other] }, ada)
  const session = await buying.pay(own.orderRef, ada.email)
  await buying.pay(eves.orderRef, eve.email)
  await buying.pay(unclaimed.orderRef, 'ada.work@alder.example')
  await buying.pay(gift.orderRef, ada.email)
  await buying.pay(disputed.orderRef, ada.email)
  await buying.pay(differs.orderRef, 'ada.home@alder.example')
  await buying.pay(refunded.orderRef, ada.email)
  await world.settle(minute)
  await buying.claim(ada, disputed)
  await buying.claim(zoe, disputed)
  await buying.claim(ada, differs, { confirmEmail: true })
  const lines = await world.rows<{ id: string }>(`select id from order_line where order_id = '${refunded.orderRef}'`)
  await d.act('orders.refund', {
    orderId: refunded.orderRef,
    lines: lines.map(({ id }) => ({ lineId: id, amount: '500' })),
    reason: 'She asked',
  })
  const orders = {
    own: own.orderRef,
    unclaimed: unclaimed.orderRef,
    pending: pending.orderRef,
    gift: gift.orderRef,
    disputed: disputed.orderRef,
    differs: differs.orderRef,
    refunded: refunded.orderRef,
  }
  const secrets = {
    unclaimed: unclaimed.claimSecret ?? '',
    pending: pending.claimSecret ?? '',
    spent: disputed.claimSecret ?? '',
  }
  return { session, orders, secrets }
}

type Begun = { readonly orderRef: string; readonly claimSecret: string | null }

function buyingIn(d: Doors, price: string) {
  let carts = 0
  const by = (who: Someone | undefined) =>
    who === undefined ? undefined : { name: who.email, headers: bearer(who.token) }
  return {
    begin: async (body: Record<string, unknown>, who?: Someone): Promise<Begun> => {
      carts += 1
      const told = await d.ask(
        {
          url: '/api/checkout',
          json: { organization: slugA, mode: 'elements', prices: [price], ...body },
          headers: { 'idempotency-key': `cart-number-${1_000 + carts}` },
        },
        by(who),
      )
      if (told.status !== 200) throw new Error(`no order: ${told.text}`)
      return told.json as unknown as Begun
    },
    pay: async (orderRef: string, email: string): Promise<string> => {
      const [row] = await d.world.rows<{ session: string }>(
        `select checkout_id as session from "order" where id = '${orderRef}'`,
      )
      const session = row?.session ?? ''
      d.world.stripe.pay({ session, email, name: 'Ada Lovelace' })
      return session
    },
    claim: (who: Someone, { orderRef, claimSecret }: Begun, more: Record<string, unknown> = {}) =>
      d.ask({ url: '/api/onboard-learner', json: { orderRef, claimSecret, ...more } }, by(who)),
  }
}

async function linkTo(d: Doors, email: string, pattern: RegExp): Promise<string> {
  const links = (await mailsTo(d, email)).flatMap((mail) => mail.links)
  const token = links.map((link) => pattern.exec(link)?.[1]).find((found) => found !== undefined)
  if (token === undefined) throw new Error(`no link in the mails to ${email}: ${links.join(' ')}`)
  return token
}

const insertPasskey = (id: string, user: string) => sql('test_passkey')`
  insert into auth.passkey (id, name, "publicKey", "userId", "credentialID", counter, "deviceType", "backedUp")
  values (${id}, 'Ada’s phone', 'none', ${user}, 'credential-of-ada', 0, 'singleDevice', false)`

const insertConsent = (id: string, user: string, client: string) => sql('test_consent')`
  insert into auth."oauthConsent" (id, "clientId", "userId", scopes, "createdAt", "updatedAt")
  values (${id}, ${client}, ${user}, '["openid"]', now(), now())`

async function idsOf(d: Doors, orders: Ada['orders'], ada: Someone): Promise<Ada['one']> {
  const found: Record<string, string> = {}
  for (const [name, query] of Object.entries(idQueries)) {
    const [row] = await d.world.rows<{ id: string }>(`${query(orders, { ada })} limit 1`)
    if (row === undefined) throw new Error(`the world has no ${name}`)
    found[name] = row.id
  }
  const { clientId } = await d.identity.provider.clients.register({
    organization: d.organizationA,
    name: 'The school',
    redirectUris: ['https://school.alder.example/callback'],
    kind: 'confidential',
  })
  const [passkey, consent] = [d.app.ids.next('psk'), d.app.ids.next('aut')]
  await d.app.db.direct(insertPasskey(passkey, found.user ?? ''))
  await d.app.db.direct(insertConsent(consent, found.user ?? '', clientId))
  const { key } = await d.act<{ key: { id: string } }>('keys.create', { name: 'shop', scopes: ['orders:read'] })
  return { ...found, passkey, consent, client: clientId, key: key.id } as Ada['one']
}

/** Somebody from the organization's own provider, signed in through its popup. */
async function annIn(d: Doors): Promise<string> {
  const { app, idp, organizationA: organization } = d
  const id = app.ids.next('iss')
  const settings: IssuerSettings = {
    ...{ name: 'Alder account', audiences: ['https://hub.example/api'], clientId: 'alder-client', trustsEmail: true },
    ...{ signIn: true, accessTokens: true, codeChallenge: false, connection: null, algorithms: ['RS256'] },
    ...{ tokenType: 'at+jwt', state: 'active' },
  }
  const secret = sealClientSecret(app.secrets, id, 'provider-side-secret-0123456789')
  await app.db.tx('system', (tx) => insertIssuer(tx, { ...settings, id, organization, url: idp.issuer }, secret))
  const ann = idp.addUser({ sub: 'ann', email: 'ann@alder.example', emailVerified: true, name: 'Ann Alder' })
  idp.approve(ann.sub)
  const tab = browser(d.fastify, app.http)
  const { back } = await tab.begin(`/sign-in/external/${id}`)
  const page = await tab.visit(back)
  const code = /data-code="([^"]+)"/.exec(page.body)?.[1] ?? ''
  const told = await d.ask({ url: '/api/sign-in/exchange', json: { code } })
  if (told.status !== 200) throw new Error(`Ann is not signed in: ${told.text}`)
  const token = String(told.json.token)
  await d.ask({ url: '/api/v1/me.get', json: {} }, { name: 'Ann', headers: bearer(token) })
  return token
}
