import { day } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { checkout } from '#contract/checkout.ts'
import { checkoutStatus } from '#contract/status.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { type Act, asking, type Cart, refusal, request, type Scene, sessionOf } from './scene.ts'

const keyLength = 6
const modes = ['elements', 'embedded_page', 'hosted_page'] as const

/** Acts of the simulator that the state forbids are not lives; they simply do not happen. */
export const attempt = (what: string, act: () => unknown): string | null => {
  try {
    act()
    return what
  } catch (error) {
    if (error instanceof Error && error.constructor.name === 'Refusal') return null
    throw error
  }
}

export const humanDrawn = ({ by, cast }: Scene): number => by.between(0, cast.people.length - 1)

function giftOf(scene: Scene): Record<string, unknown> | null {
  const { by, cast, world } = scene
  if (!by.chance(0.25)) return null
  const to = by.chance(0.6) ? cast.people[humanDrawn(scene)] : undefined
  const waits = to !== undefined && by.chance(0.3)
  return {
    ...(to === undefined ? {} : { email: to, name: 'A friend' }),
    from: 'A giver',
    ...(waits ? { sendAt: new Date(world.clock.now() + by.between(1, 20) * day).toISOString() } : {}),
  }
}

function newCart(scene: Scene): Cart {
  const { by, cast, carts, slug } = scene
  const buyer = humanDrawn(scene)
  const monthly = by.chance(0.1)
  const count = by.chance(0.75) ? 1 : 2
  const bought = monthly ? cast.subscriptions : cast.prices
  const lines = [...new Set(Array.from({ length: monthly ? 1 : count }, () => by.one(bought) ?? ''))]
  const gift = monthly ? null : giftOf(scene)
  const signedIn = by.chance(0.3)
    ? sessionOf(scene, buyer, by.one(['hub', 'hub', 'other', 'rogue'] as const) ?? 'hub', by.chance(0.5))
    : null
  return {
    key: `cart-of-the-storm-${String(carts.length).padStart(keyLength, '0')}`,
    body: {
      organization: slug,
      mode: by.one(modes) ?? 'elements',
      prices: lines.map((price) => ({ price, quantity: !monthly && by.chance(0.15) ? by.between(2, 3) : 1 })),
      ...(by.chance(0.5) ? { email: cast.people[buyer] ?? '' } : {}),
      ...(gift === null ? {} : { gift }),
    },
    buyer,
    begunAs: signedIn,
    orderRef: null,
    secrets: [],
  }
}

/** What the route does, and what the browser keeps of its answer. */
const press =
  (scene: Scene, cart: Cart, as: SignedIn | null) =>
  async (app: App): Promise<string> => {
    try {
      const answer = await checkout(asking(app, as), cart.body, {
        asker: as === null ? { kind: 'stranger' } : { kind: 'person', signedIn: as },
        idempotencyKey: cart.key,
        traceId: 'storm',
      })
      if (cart.orderRef !== null && cart.orderRef !== answer.orderRef)
        scene.seen.push({
          code: 'two_orders_of_a_cart',
          about: cart.key,
          detail: `${cart.orderRef} ${answer.orderRef}`,
        })
      cart.orderRef = answer.orderRef
      if (answer.claimSecret !== null) cart.secrets.push(answer.claimSecret)
      return answer.status
    } catch (error) {
      return refusal(error).code
    }
  }

/** A cart, and now and then "pay" pressed twice within a moment. */
export const beginCart: Act = async (scene) => {
  const cart = newCart(scene)
  scene.carts.push(cart)
  const presses = scene.by.chance(0.25) ? 2 : 1
  await begin(scene, cart, presses)
  return `cart ${cart.key} of ${cart.buyer} x${presses}`
}

async function begin(scene: Scene, cart: Cart, presses: number): Promise<void> {
  const web = scene.web()
  if (scene.atOnce && presses > 1) {
    await Promise.all(Array.from({ length: presses }, () => press(scene, cart, cart.begunAs)(scene.world.app)))
    return
  }
  for (let i = 0; i < presses; i++) await web.begin(`press ${cart.key}`, press(scene, cart, cart.begunAs))
}

/** The same cart again: a reload, a second tab, a browser whose first answer never came. */
export const pressAgain: Act = async (scene) => {
  const cart = scene.by.one(scene.carts)
  if (cart === undefined) return null
  await begin(scene, cart, 1)
  return `press ${cart.key} again`
}

const cards = ['4242424242424242', '4242424242424242', '4242424242424242', '4000000000000002', 'bank'] as const

/** The form is paid, mostly by whoever began it and with the address they have. */
export const payCart: Act = async (scene) => {
  const { by, world, cast } = scene
  const open = new Set(
    world.stripe
      .truth()
      .checkouts.filter((c) => c.status === 'open')
      .map((c) => c.session),
  )
  const rows = await world.rows<{ order: string; session: string }>(
    `select id as order, checkout_id as session from "order" where request_key is not null and checkout_id is not null and paid_at is null order by id`,
  )
  const chosen = by.one(rows.filter((row) => open.has(row.session)))
  const cart = scene.carts.find((c) => c.orderRef === chosen?.order)
  if (chosen === undefined || cart === undefined) return null
  const email = cast.people[by.chance(0.9) ? cart.buyer : humanDrawn(scene)] ?? ''
  const card = by.one(cards) ?? ''
  return attempt(`pay ${cart.key} as ${email} by ${card}`, () =>
    world.stripe.pay({ session: chosen.session, email, name: 'Storm Buyer', card }),
  )
}

/** A page that waits and asks how its order stands. */
export const askStatus: Act = async (scene) => {
  const cart = scene.by.one(scene.carts.filter((c) => c.orderRef !== null))
  if (cart === undefined) return null
  const as = scene.by.chance(0.3) ? sessionOf(scene, cart.buyer, 'hub', false) : null
  await scene.web().begin(`status ${cart.key}`, async (app) => {
    try {
      const secret = cart.secrets.at(-1)
      const body = { orderRef: cart.orderRef, ...(secret === undefined ? {} : { claimSecret: secret }) }
      const { payment, claimed } = await checkoutStatus(asking(app, as), body, { request, traceId: 'storm' })
      return `${payment} ${claimed}`
    } catch (error) {
      return refusal(error).code
    }
  })
  return `status ${cart.key}`
}
