import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute, second } from '@bursar/kit/clock.ts'
import { bodyOfForm, claimCookieName, claimSecretIn, startFromForm } from '#contract/hosted.ts'
import { checkoutStatus } from '#contract/status.ts'
import { createWorld, type World } from '#main/world.ts'
import { createShop } from './shop.ts'

let world: World
let price: string
before(async () => {
  world = await createWorld({ organizationSlug: 'school' })
  price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => world.close())

const stranger = { method: 'POST', headers: {} }
const deps = () => ({ app: world.app, sources: [] })

test('a plain form begins an order and leaves the secret in a cookie no script can read', async () => {
  const form = new URLSearchParams({ organization: 'school', price, key: 'form-of-one-page-0001' })
  const { location, cookie } = await startFromForm(deps(), form, stranger, 'trc_1')
  assert.match(location, /^http:\/\/127\.0\.0\.1:\d+\//)
  const [row] = await world.rows<{ id: string; session: string }>(
    `select id, checkout_id as session from "order" order by id desc limit 1`,
  )
  const orderRef = row?.id ?? ''
  const pattern = new RegExp(
    `^${claimCookieName(orderRef)}=[A-Za-z0-9_-]{43}; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax$`,
  )
  assert.match(cookie ?? '', pattern)
  world.stripe.pay({ session: row?.session ?? '', email: 'form@hosted.example', name: 'Form' })
  await world.clock.advance(3 * second)
  const headers = { cookie: `a=b; ${cookie?.split(';')[0]}`, 'sec-fetch-site': 'same-origin' }
  const seen = await checkoutStatus(deps(), { orderRef }, { request: { method: 'POST', headers }, traceId: 'trc_2' })
  assert.deepEqual([seen.payment, seen.claimed, seen.email], ['paid', false, 'f***@hosted.example'])
  const foreign = { method: 'POST', headers: { ...headers, 'sec-fetch-site': 'cross-site' } }
  assert.equal(claimSecretIn(foreign, orderRef, world.app.publicUrl), null)
  await assert.rejects(checkoutStatus(deps(), { orderRef }, { request: foreign, traceId: 'trc_3' }), {
    code: 'not_found',
  })
  const again = await startFromForm(deps(), form, stranger, 'trc_4')
  assert.deepEqual(
    again,
    { location: `${world.app.publicUrl}/orders/${orderRef}`, cookie: null },
    'paid is not offered again',
  )
  await world.settle(minute)
})

test('the fields of a form: several prices with quantities, a gift; an amount is refused like any other stray field', async () => {
  const { body, idempotencyKey } = bodyOfForm(
    new URLSearchParams('organization=school&price=a&price=b:3&gift_email=x%40y.example&key=k&promotionCode='),
  )
  assert.deepEqual(body, {
    organization: 'school',
    prices: ['a', { price: 'b', quantity: 3 }],
    gift: { email: 'x@y.example' },
  })
  assert.equal(idempotencyKey, 'k')
  const form = new URLSearchParams({ organization: 'school', price, amount: '1' })
  await assert.rejects(startFromForm(deps(), form, stranger, 'trc_5'), { code: 'input_invalid' })
  assert.throws(() => bodyOfForm(new URLSearchParams('organization=a&organization=b')), { code: 'input_invalid' })
})

test('429: strangers may begin so many checkouts from one address, and so many in one organization; keys are counted apart', async () => {
  const limited = await createShop({ limits: { checkoutsPerMinute: 3, questionsPerMinute: 2 } })
  try {
    const mine = await limited.world.sell('Sourdough', 100, ['sourdough-basics'])
    const begin = (n: number) =>
      limited.post(
        '/api/checkout',
        { organization: limited.slug, mode: 'elements', prices: [mine] },
        { key: `cart-of-many-carts-${n}` },
      )
    const answers = [await begin(1), await begin(2), await begin(3), await begin(4)]
    assert.deepEqual(
      answers.map((a) => a.status),
      [200, 200, 200, 429],
    )
    assert.equal(answers[3]?.code, 'rate_limited')
    const asks = []
    for (let i = 0; i < 3; i++) asks.push((await limited.post('/api/checkout/status', { orderRef: 'x' })).status)
    assert.deepEqual(asks, [400, 400, 429])
  } finally {
    await limited.close()
  }
  const crowd = await createShop({ limits: { checkoutsPerOrganization: 1 } })
  try {
    const body = {
      organization: crowd.slug,
      mode: 'elements',
      prices: [await crowd.world.sell('S', 100, ['sourdough-basics'])],
    }
    const statuses = []
    for (const n of [1, 2])
      statuses.push((await crowd.post('/api/checkout', body, { key: `cart-of-a-crowd-00${n}` })).status)
    assert.deepEqual(statuses, [200, 429])
    const token = crowd.session('member', { email: 'member@x.example', fresh: true })
    const member = await crowd.post('/api/checkout', body, { key: 'cart-of-a-member-1', token })
    assert.equal(member.status, 200, 'a signed-in buyer is not held up by a crowd of strangers')
  } finally {
    await crowd.close()
  }
})
