import type Stripe from 'stripe'
import { z } from 'zod'
import type { SimReply, SimRequest, SimRoute } from '#simulator/server.ts'
import { answerChallenge, confirm } from './challenge.ts'
import type { Paid } from './checkout.ts'
import { enterCode, locate } from './totals.ts'
import { emailOf, type SessionView, sessionView } from './view.ts'
import { idOf, Refusal, type World } from './world.ts'

/** What the calls of Stripe.js promise to answer, and what our frames need beside it. */
type Answer =
  | {
      readonly type: 'success'
      readonly session: SessionView
      readonly returnUrl?: string | null
      readonly page?: object
    }
  | { readonly type: 'challenge' }
  | { readonly type: 'error'; readonly error: Readonly<Record<string, unknown>>; readonly session?: SessionView }

const problem = (message: string, code: string | null = null, more: object = {}): Answer => ({
  type: 'error',
  error: { message, code, ...more },
})

const access = z.object({ key: z.string(), clientSecret: z.string() })
const contact = z.object({
  name: z.string().nullish(),
  address: z.object({
    country: z.string().regex(/^[A-Za-z]{2}$/),
    line1: z.string().nullish(),
    line2: z.string().nullish(),
    city: z.string().nullish(),
    postal_code: z.string().nullish(),
    state: z.string().nullish(),
  }),
})
const details = z.discriminatedUnion('type', [
  z.object({ type: z.literal('card'), number: z.string(), expiry: z.string(), cvc: z.string() }),
  z.object({ type: z.literal('sepa_debit'), iban: z.string(), holder: z.string() }),
])

type Session = Stripe.Checkout.Session
type Contact = z.output<typeof contact>

/** The session behind a secret, if key and secret are this account's. */
function sessionFor(world: World, { key, clientSecret }: z.output<typeof access>): Session {
  if (key !== world.publishableKey)
    throw new Refusal(`Invalid API Key provided: ${key.slice(0, 8)}****`, { code: 'api_key_invalid' }, 401)
  const session = world.sessions.get(clientSecret.split('_secret_')[0] ?? '')
  if (session === undefined || session.client_secret !== clientSecret)
    throw new Refusal('No such checkout session: the client secret is not of this account.', {}, 404)
  return session
}

const success = (world: World, session: Session): Answer => ({ type: 'success', session: sessionView(world, session) })

const mustBeOpen = (session: Session): void => {
  if (session.status !== 'open') throw new Refusal(`This Checkout Session is ${session.status}.`, {}, 409)
}

/** What the form has to show beside the session itself. */
const pageOf = (world: World, session: Session) => ({
  allowPromotionCodes: session.allow_promotion_codes === true,
  collectAddress: session.automatic_tax.enabled || session.billing_address_collection === 'required',
  email: session.customer_email ?? world.customers.get(idOf(session.customer) ?? '')?.email ?? null,
})

function load(world: World, session: Session, ui: string): Answer {
  if (session.ui_mode !== ui)
    return problem(`This Checkout Session has ui_mode \`${session.ui_mode}\`; it cannot be shown as \`${ui}\`.`)
  return { type: 'success', session: sessionView(world, session), page: pageOf(world, session) }
}

function applyCode(world: World, session: Session, code: string | null): Answer {
  mustBeOpen(session)
  try {
    enterCode(world, session, code)
    return success(world, session)
  } catch (error) {
    if (error instanceof Refusal) return problem(error.message, codeOfRefusal(error))
    throw error
  }
}

/** The two codes that Stripe.js documents; anything else has none. */
const codeOfRefusal = (error: Refusal): string | null => {
  if (error.error.code === 'promotion_code_minimum_amount_not_met') return 'promotionCodeAmountInsufficient'
  return error.error.code === 'invalidCode' ? 'invalidCode' : null
}

const located = (address: Contact['address']): Partial<Stripe.Address> =>
  Object.fromEntries(Object.entries(address).map(([name, value]) => [name, value ?? null]))

const emailSchema = z.email()

function refuseEmail(world: World, session: Session, email: string): Answer | null {
  if (!emailSchema.safeParse(email).success) return problem('This e-mail address is invalid.', 'invalidEmail')
  const fixed = pageOf(world, session).email
  // The shop named the buyer; Stripe keeps what it named.
  if (fixed !== null && fixed !== email) return problem('The e-mail address of this session is set.', 'invalidEmail')
  return null
}

function update(world: World, session: Session, email: string | null | undefined, where: Contact | null | undefined) {
  mustBeOpen(session)
  const refused = typeof email === 'string' ? refuseEmail(world, session, email) : null
  if (refused !== null) return refused
  if (email === null) world.emails.delete(session.id)
  else if (email !== undefined) world.emails.set(session.id, email)
  if (where !== null && where !== undefined) locate(world, session, located(where.address))
  return success(world, session)
}

const isPast = (world: World, expiry: string): boolean => {
  const [month, year] = [Number(expiry.slice(0, 2)), Number(expiry.slice(-2))]
  const today = new Date(world.clock.now())
  return (
    2000 + year < today.getUTCFullYear() || (2000 + year === today.getUTCFullYear() && month < today.getUTCMonth() + 1)
  )
}

/** Where Stripe.js sends the browser afterwards; null when the session stays where it is. */
const returnUrlOf = (session: Session): string | null =>
  session.redirect_on_completion === 'always'
    ? ((session.return_url ?? null)?.replaceAll('{CHECKOUT_SESSION_ID}', session.id) ?? null)
    : null

function result(world: World, paid: Paid, message = 'Your card was declined.'): Answer {
  const { session, outcome } = paid
  if (outcome !== 'declined') return { ...success(world, session), returnUrl: returnUrlOf(session) } as Answer
  const declineCode = message === 'Your card was declined.' ? 'generic_decline' : null
  return {
    ...problem(message, 'paymentFailed', { paymentFailed: { declineCode } }),
    session: sessionView(world, session),
  } as Answer
}

type Entered = z.output<typeof confirmInput>
const confirmInput = access.extend({
  method: details.optional(),
  email: z.string().optional(),
  billingAddress: contact.optional(),
})

function confirmSession(world: World, session: Session, input: Entered): Answer {
  if (input.email !== undefined || input.billingAddress !== undefined) {
    const updated = update(world, session, input.email, input.billingAddress)
    if (updated.type !== 'success') return updated
  }
  mustBeOpen(session)
  const email = emailOf(world, session)
  if (email === null) return problem('An e-mail address is required to complete this payment.')
  if (session.automatic_tax.status === 'requires_location_inputs')
    return problem('A billing address is required to work out the tax.')
  const { method } = input
  if (method === undefined && session.payment_status !== 'no_payment_required')
    return problem('Payment details are missing.')
  if (method?.type === 'card' && isPast(world, method.expiry))
    return problem('Your card’s expiration date is in the past.')
  const name = method?.type === 'sepa_debit' ? method.holder : (input.billingAddress?.name ?? undefined)
  const confirmed = confirm(world, {
    session: session.id,
    email,
    ...(method === undefined ? {} : { card: method.type === 'card' ? method.number : 'bank_debit' }),
    ...(name === undefined ? {} : { name }),
  })
  if (confirmed.outcome === 'challenge') return { type: 'challenge' }
  return result(world, { outcome: confirmed.outcome, session: confirmed.session })
}

// The page and the frame may be of any origin; key and secret are what opens a session, and no cookie is involved.
const cors = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'content-type',
  'access-control-allow-methods': 'POST',
  'cache-control': 'no-store',
}

function answer(request: SimRequest, work: (body: unknown) => Answer): SimReply {
  try {
    return { status: 200, headers: cors, body: work(JSON.parse(request.body.toString('utf8') || '{}')) }
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, headers: cors, body: problem(error.message) }
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      return { status: 400, headers: cors, body: problem('Invalid request of Stripe.js.') }
    throw error
  }
}

const route = <T extends z.output<typeof access>>(
  world: World,
  call: string,
  schema: z.ZodType<T>,
  work: (session: Session, input: T) => Answer,
): SimRoute[] => [
  { method: 'OPTIONS', pattern: `/stripe-js/api/${call}`, handle: () => ({ status: 204, headers: cors }) },
  {
    method: 'POST',
    pattern: `/stripe-js/api/${call}`,
    handle: (request) =>
      answer(request, (body) => {
        const input = schema.parse(body)
        return work(sessionFor(world, input), input)
      }),
  },
]

/** What our Stripe.js asks for. Stripe's own wire behind its script is not public; this one serves the same results. */
export const browserApi = (world: World): SimRoute[] => [
  ...route(world, 'session', access.extend({ ui: z.string() }), (session, input) => load(world, session, input.ui)),
  ...route(world, 'promotion', access.extend({ code: z.string().max(200).nullable() }), (session, input) =>
    applyCode(world, session, input.code),
  ),
  ...route(
    world,
    'update',
    access.extend({ email: z.string().nullish(), billingAddress: contact.nullish() }),
    (session, input) => update(world, session, input.email, input.billingAddress),
  ),
  ...route(world, 'confirm', confirmInput, (session, input) => confirmSession(world, session, input)),
  ...route(world, 'challenge', access.extend({ passed: z.boolean() }), (session, input) => {
    const { message, ...paid } = answerChallenge(world, session.id, input.passed)
    return result(world, paid, message)
  }),
]
