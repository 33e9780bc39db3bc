import { randomUUID } from 'node:crypto'
import { second, systemClock } from '@bursar/kit/clock.ts'
import { formatMoney, money } from '@bursar/kit/money.ts'
import { z } from 'zod'
import { schemaOf } from '#action/schema.ts'
import type { TimelineWire } from '#reports/actions.ts'
import { renderTimeline } from '#reports/render.ts'
import { type Given, parseArgs } from '#surfaces/cli/args.ts'
import { buildInput } from '#surfaces/cli/input.ts'
import { findTarget, type Target } from '#surfaces/cli/target.ts'
import { type CliDeps, type Command, exitCodes } from '#surfaces/cli.ts'
import { ask, request, type Tried, tell, trouble } from './commands-hub.ts'

const wishSchema = z.object({ email: z.email().max(320).optional(), price: z.string().min(1).optional() })
type Wish = z.output<typeof wishSchema>

const help = `bursar demo purchase: buy something in the running demo and watch until the seat is open

  --email <address>  The buyer. Left out: somebody new.
  --price <price>    Name or id of a price at /sandbox. Left out: the first.
  --json             Print exactly one JSON object.
`

export const purchase: Command = {
  summary: 'Buy something in the running demo, watch until the seat is open, and get the link into the course.',
  run: async (argv, deps) => {
    const given = parseArgs(argv, schemaOf(wishSchema))
    if (given.help) {
      deps.stdout(help)
      return exitCodes.ok
    }
    const wish = wishSchema.safeParse(await buildInput(given, schemaOf(wishSchema), deps))
    if (!wish.success) {
      const [issue] = wish.error.issues
      const message = `--${issue?.path.join('.') ?? 'email'}: ${issue?.message ?? 'not usable'}.`
      return tell(deps, given.json, { exit: exitCodes.usage, code: 'usage', message, fix: help.trimEnd() })
    }
    const bought = await buy(deps, given, wish.data)
    return bought.ok ? exitCodes.ok : tell(deps, given.json, bought.trouble)
  },
}

/** Buys as a visitor of a shop would: the hub makes the checkout, the buyer pays at the provider, the hub hears of it. */
async function buy(deps: CliDeps, given: Given, wish: Wish): Promise<Tried<null>> {
  const say = (text: string) => {
    if (!given.json) deps.stdout(text)
  }
  const found = await findDemo(deps, given)
  if (!found.ok) return found
  const { target, sandbox } = found.value
  const priced = choose(sandbox, wish.price)
  if (!priced.ok) return priced
  const price = priced.value
  const email = wish.email ?? `learner-${randomUUID().slice(0, 8)}@example.com`

  const at = { given, target }
  const made = await ask<Checkout>(deps, at, 'orders.create_checkout', {
    lines: [{ priceId: price.price, quantity: 1 }],
    mode: price.interval === null ? 'payment' : 'subscription',
    email,
    successUrl: `${sandbox.stripeUrl}/done`,
    cancelUrl: `${target.url}/sandbox`,
  })
  if (!made.ok) return made
  const { orderId, checkoutId, url } = made.value
  say(`${email} buys "${price.name}" for ${amountOf(price)} (checkout ${checkoutId}).\n`)

  const paid = await pay(deps, url, email)
  if (!paid.ok) return paid
  say('Paid with the test card 4242 4242 4242 4242.\n\n')

  const opened = await untilOpen(deps, at, orderId)
  if (!opened.ok) return opened
  say(renderTimeline(opened.value))
  const links = await linksOf(deps, at, opened.value)
  if (!links.ok) return links
  say(`\n${links.value.map((l) => `Enter "${l.course}" as ${email}, once, within 15 minutes:\n${l.url}\n`).join('\n')}`)
  if (given.json)
    deps.stdout(
      `${JSON.stringify({ email, price: price.price, orderId, checkoutId, links: links.value, timeline: opened.value })}\n`,
    )
  return { ok: true, value: null }
}

type Price = {
  readonly name: string
  readonly price: string
  readonly amount: string
  readonly currency: string
  readonly interval: string | null
}
type Sandbox = { readonly prices: readonly Price[]; readonly stripeUrl: string }
type Checkout = { readonly orderId: string; readonly checkoutId: string; readonly url: string }

const amountOf = (price: Price): string => {
  const once = formatMoney(money(BigInt(price.amount), price.currency.toUpperCase()))
  return price.interval === null ? once : `${once} per ${price.interval}`
}

const startHint = 'Start one with npm start (or npx bursar start) and run this again in the same folder.'

const sandboxSchema = z.object({
  simulators: z.array(z.object({ name: z.string(), url: z.url() })),
  prices: z.array(
    z.object({
      name: z.string(),
      price: z.string(),
      amount: z.string().regex(/^\d+$/),
      currency: z.string(),
      interval: z.string().nullable(),
    }),
  ),
})

/** The hub that runs in this folder, with its simulators. */
async function findDemo(
  deps: CliDeps,
  given: Given,
): Promise<Tried<{ readonly target: Target; readonly sandbox: Sandbox }>> {
  const target = await findTarget(given, deps)
  const asked = await request(deps, {
    method: 'GET',
    url: `${target.url}/sandbox`,
    headers: { accept: 'application/json' },
  })
  if (!asked.ok) return trouble(exitCodes.unreachable, 'unreachable', `No demo runs at ${target.url}.`, startHint)
  const sandbox = sandboxSchema.safeParse(parseJson(asked.response.body.toString('utf8')))
  const stripe = sandbox.data?.simulators.find((s) => s.name === 'stripe')
  if (!sandbox.success || stripe === undefined) {
    const message = `What answers at ${target.url} is not a demo: it has no simulators.`
    return trouble(exitCodes.refused, 'no_demo', message, startHint)
  }
  return { ok: true, value: { target, sandbox: { prices: sandbox.data.prices, stripeUrl: stripe.url } } }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Another program's page: the schema refuses undefined, and the caller says that this is no demo.
    return undefined
  }
}

function choose(sandbox: Sandbox, wish: string | undefined): Tried<Price> {
  const wanted = wish?.toLowerCase()
  const price =
    wanted === undefined
      ? sandbox.prices[0]
      : sandbox.prices.find((p) => p.price.toLowerCase() === wanted || p.name.toLowerCase() === wanted)
  if (price !== undefined) return { ok: true, value: price }
  const names = sandbox.prices.map((p) => `"${p.name}"`).join(', ')
  return trouble(exitCodes.usage, 'usage', `Nothing on sale is called "${wish ?? ''}".`, `On sale: ${names}.`)
}

/** Fills in the provider's payment page, as a browser sends it. */
async function pay(deps: CliDeps, url: string, email: string): Promise<Tried<null>> {
  const form = new URLSearchParams({ email, name: 'Demo Learner', card: '4242424242424242' })
  const sent = await request(deps, {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  })
  // The page sends a buyer who has paid back to the shop.
  if (sent.ok && sent.response.status === 303) return { ok: true, value: null }
  const why = sent.ok ? `it answered ${sent.response.status}` : sent.failure.message
  return trouble(
    exitCodes.refused,
    'payment_failed',
    `The payment page did not take the card: ${why}.`,
    'Look at the requests of the simulator, linked at /sandbox. Are faults set there?',
  )
}

const openMsMax = 30 * second
const pollMs = 150

const isOpen = (timeline: TimelineWire): boolean =>
  timeline.seats.length > 0 && timeline.seats.every((seat) => seat.kind === 'open')

/** Reads the order's timeline until its verdict is an open seat. */
async function untilOpen(deps: CliDeps, at: Parameters<typeof ask>[1], orderId: string): Promise<Tried<TimelineWire>> {
  const end = systemClock.now() + openMsMax
  for (;;) {
    const read = await ask<TimelineWire>(deps, at, 'timeline.get', { orderId })
    if (!read.ok || isOpen(read.value)) return read
    if (systemClock.now() >= end) {
      if (!at.given.json) deps.stdout(renderTimeline(read.value))
      return trouble(
        exitCodes.refused,
        'not_open_yet',
        `Paid, but the seat is not open after ${openMsMax / second} seconds. The hub goes on working on it.`,
        `See how it stands: bursar timeline.get --order-id ${orderId}`,
      )
    }
    await systemClock.sleep(pollMs)
  }
}

type Link = { readonly course: string; readonly enrollmentId: string; readonly url: string; readonly expiresAt: string }

async function linksOf(
  deps: CliDeps,
  at: Parameters<typeof ask>[1],
  timeline: TimelineWire,
): Promise<Tried<readonly Link[]>> {
  const links: Link[] = []
  for (const { course, enrollmentId } of timeline.seats) {
    if (enrollmentId === null) continue
    const made = await ask<{ url: string; expiresAt: string }>(deps, at, 'launch.mint_link', { enrollmentId })
    if (!made.ok) return made
    links.push({ course, enrollmentId, ...made.value })
  }
  return { ok: true, value: links }
}
