import { day, type Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import { z } from 'zod'
import { inTx } from '#action/context.ts'
import { instant } from '#action/fields.ts'
import { checkKey } from '#action/idempotency.ts'
import { listOrigins, originsOf } from '#identity/origins.ts'
import { freshProofMs, isFresh } from '#identity/signed-in.ts'
import { isMailAddress } from '#mail/address.ts'
import type { Buyer, Cart } from '#orders/begin.ts'
import { beginCheckout } from '#orders/create.ts'
import type { Gift, OrderRow } from '#orders/store.ts'
import { type Asker, type ContractDeps, otherCtx, parseBody, permitKey, personCtx } from './asking.ts'

const linesMax = 50
const quantityMax = 1_000
const giftAheadMs = 366 * day
// Whoever knows the key of an unpaid cart is given a secret of it, so a key must not be guessable.
const keyLengthMin = 16

const priceId = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, 'must be the id of a price')
const email = z
  .string()
  .max(254)
  .transform((text) => text.trim())
  .refine(isMailAddress, 'is no e-mail address')

const giftSchema = z.strictObject({
  email: email.optional(),
  name: z.string().trim().min(1).max(120).optional(),
  from: z.string().trim().min(1).max(120).optional(),
  message: z.string().trim().min(1).max(1_000).optional(),
  sendAt: instant.optional(),
})

/** What is bought and how; never for how much. */
export const checkoutBody = z.strictObject({
  organization: z.string().min(1).max(80),
  prices: z
    .array(
      z.union([
        priceId.transform((price) => ({ price, quantity: 1 })),
        z.strictObject({ price: priceId, quantity: z.number().int().min(1).max(quantityMax).default(1) }),
      ]),
    )
    .min(1)
    .max(linesMax),
  mode: z.enum(['elements', 'embedded_page', 'hosted_page']),
  email: email.optional(),
  promotionCode: z.string().trim().min(1).max(100).optional(),
  gift: giftSchema.optional(),
  returnUrl: z.string().max(2_000).optional(),
  connectionId: z.string().max(60).optional(),
})

export type CheckoutInput = z.output<typeof checkoutBody>

export type CheckoutAnswer = {
  readonly orderRef: string
  readonly status: OrderRow['state']
  readonly mode: CheckoutInput['mode']
  readonly clientSecret: string | null
  readonly url: string | null
  readonly publishableKey: string | null
  readonly claimSecret: string | null
  readonly expiresAt: string | null
}

type Request = { readonly asker: Asker; readonly idempotencyKey: string | null; readonly traceId: string }

/** Begins an order for whoever asks, and answers with what a browser needs to pay it. */
export async function checkout(deps: ContractDeps, body: unknown, request: Request): Promise<CheckoutAnswer> {
  const input = parseBody(checkoutBody, body)
  const key = requestKey(request)
  const { app } = deps
  const found = await originsOf(app, input.organization)
  if (found === null) throw new CodedError('not_found', 'There is no such organization.')
  const { organization } = found
  permitKey(request.asker, organization)
  const { ctx, buyer } = await buyerOf(deps, request, organization)
  const back = await returnAddress(deps, organization, input)
  const cart: Cart = {
    connectionId: input.connectionId ?? null,
    mode: null,
    ui: input.mode,
    lines: input.prices.map((p) => ({ priceId: p.price, quantity: p.quantity })),
    email: input.email ?? null,
    promotionCode: input.promotionCode ?? null,
    gift: input.gift === undefined ? null : giftOf(input.gift, app.clock.now()),
    buyer,
    requestKey: key,
    successUrl: back,
    cancelUrl: input.returnUrl === undefined ? `${app.publicUrl}/checkout/${input.organization}` : back,
  }
  const made = await beginCheckout(ctx, cart)
  if (made.order === null) throw new Error('a checkout without an order')
  const { url, clientSecret, publishableKey, claimSecret, expiresAt } = made
  return {
    orderRef: made.order.id,
    status: made.order.state,
    mode: input.mode,
    clientSecret,
    url,
    publishableKey,
    claimSecret,
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  }
}

/** The key of a cart, apart from the keys of a shop's server: a browser cannot repeat what a server has asked. */
function requestKey({ asker, idempotencyKey }: Request): string {
  const refuse = (message: string): never => {
    throw new CodedError('input_invalid', `Idempotency-Key ${message}.`, {
      issues: [{ path: 'Idempotency-Key', message }],
    })
  }
  if (idempotencyKey === null) return refuse('is required, one per cart: the same key is the same order')
  const key = checkKey(idempotencyKey)
  if (asker.kind === 'key') return `key:${key}`
  if (key.length < keyLengthMin) return refuse(`must have at least ${keyLengthMin} characters of chance`)
  // Until it is paid the key leads to a claim secret, so it is kept as those are.
  return `web:${hashSecret(key)}`
}

async function buyerOf(deps: ContractDeps, { asker, traceId }: Request, organization: string) {
  if (asker.kind !== 'person') return { ctx: otherCtx(deps.app, asker, organization, traceId), buyer: null }
  const { ctx, user } = await personCtx(deps.app, asker.signedIn, organization, traceId)
  const fresh = isFresh(user.mailboxProvenAt, deps.app.clock.now(), freshProofMs)
  const { personId, issuer, subject } = user
  // Without an address that somebody vouches for, no school could be asked for an account of theirs.
  const buyer: Buyer = { personId, issuer, subject, proven: user.email !== null && (user.emailVerified || fresh) }
  return { ctx, buyer }
}

function giftOf(gift: NonNullable<CheckoutInput['gift']>, now: Instant): Gift {
  const { sendAt = null } = gift
  if (sendAt !== null && sendAt > now + giftAheadMs)
    throw new CodedError('input_invalid', 'A gift can wait for a year at most.', {
      issues: [{ path: 'gift.sendAt', message: 'must lie within a year' }],
    })
  return {
    email: gift.email ?? null,
    name: gift.name ?? null,
    from: gift.from ?? null,
    message: gift.message ?? null,
    sendAt,
  }
}

/** Back to the hub's own page, or to a page of a site the organization has registered; nowhere else. */
async function returnAddress(deps: ContractDeps, organization: string, input: CheckoutInput): Promise<string> {
  const { app } = deps
  if (input.returnUrl === undefined) return `${app.publicUrl}/checkout/return?order={ORDER}`
  const url = URL.parse(input.returnUrl)
  const bare = url !== null && url.username === '' && url.password === ''
  const known = bare && (await inTx({ db: app.db, organization }, (tx) => listOrigins(tx, organization)))
  if (!known || url === null || !(url.origin === new URL(app.publicUrl).origin || known.includes(url.origin)))
    throw new CodedError('input_invalid', 'returnUrl must be a page of this hub or of a registered site.', {
      issues: [{ path: 'returnUrl', message: 'must be on the hub or on a site of origins.list' }],
    })
  url.searchParams.set('bursar_order', '{ORDER}')
  return url.href.replace('%7BORDER%7D', '{ORDER}')
}
