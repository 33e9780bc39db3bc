import type { IncomingHttpHeaders } from 'node:http'
import { day, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { cookieCounts } from '#identity/signed-in.ts'
import { isSecret } from '#orders/links.ts'
import { type Asker, askerOf, type ContractDeps } from './asking.ts'
import { type CheckoutAnswer, checkout } from './checkout.ts'

/** A cookie that a page of the hub sets: HttpOnly, so no script ever reads the secret; Lax, so the way back carries it. */
export type ClaimCookie = { readonly name: string; readonly header: string }

export type HostedStart = {
  readonly orderRef: string
  /** Where to send the browser with 303: the provider's page, or the order's own page when there is nothing to pay. */
  readonly location: string
  /** Null when the order is the signed-in buyer's own, or is paid already. */
  readonly cookie: ClaimCookie | null
}

// The secret outlives the form, so that whoever comes back the next day can still claim in the same browser.
const cookieLifeMs = 14 * day
// Ids are unique in their last characters: their random part.
const shortLength = 12

export const claimCookieName = (orderRef: string): string => `bursar_claim_${orderRef.slice(-shortLength)}`

export type HostedInput = {
  /** The fields of `POST /api/checkout` without `mode`, as a form or a page brings them. */
  readonly body: Readonly<Record<string, unknown>>
  readonly idempotencyKey: string | null
  readonly request: { readonly method: string; readonly headers: IncomingHttpHeaders }
  readonly traceId: string
}

/**
 * The same order by a plain form: begins it, and says where the browser goes and with which cookie. For pages without
 * script, and for a widget that leaves its frame. A key is made up where the form brought none.
 */
export async function startHostedCheckout(deps: ContractDeps, input: HostedInput): Promise<HostedStart> {
  const asker: Asker = await askerOf(deps, input.request)
  const idempotencyKey = input.idempotencyKey ?? deps.app.ids.next('form')
  const answer = await checkout(
    deps,
    { ...input.body, mode: 'hosted_page' },
    { asker, idempotencyKey, traceId: input.traceId },
  )
  return { orderRef: answer.orderRef, location: locationOf(deps, answer), cookie: cookieOf(deps, answer) }
}

/** The same from the fields of a plain form, as a page's route needs it; `cookie` is a whole Set-Cookie value. */
export async function startFromForm(
  deps: ContractDeps,
  form: URLSearchParams,
  request: HostedInput['request'],
  traceId: string,
): Promise<{ readonly location: string; readonly cookie: string | null }> {
  const started = await startHostedCheckout(deps, { ...bodyOfForm(form), request, traceId })
  return { location: started.location, cookie: started.cookie?.header ?? null }
}

const locationOf = ({ app }: ContractDeps, answer: CheckoutAnswer): string =>
  answer.url ?? `${app.publicUrl}/orders/${answer.orderRef}`

function cookieOf({ app }: ContractDeps, { orderRef, claimSecret }: CheckoutAnswer): ClaimCookie | null {
  if (claimSecret === null) return null
  const name = claimCookieName(orderRef)
  const secure = app.publicUrl.startsWith('https:') ? '; Secure' : ''
  const header = `${name}=${claimSecret}; Path=/; Max-Age=${cookieLifeMs / second}; HttpOnly; SameSite=Lax${secure}`
  return { name, header }
}

/** The secret of an order in the cookie of this browser; null without one, or where a cookie may not speak. */
export function claimSecretIn(
  request: { readonly method: string; readonly headers: IncomingHttpHeaders },
  orderRef: string,
  publicUrl: string,
): string | null {
  if (!cookieCounts(request, publicUrl)) return null
  const name = `${claimCookieName(orderRef)}=`
  const found = (request.headers.cookie ?? '').split(';').find((part) => part.trim().startsWith(name))
  const value = found?.trim().slice(name.length) ?? ''
  return isSecret(value) ? value : null
}

const priceField = /^price(?:\[\d*\]|s)?$/

/**
 * The fields of a plain form as the body of a checkout: `organization`, one or more `price` (with `:quantity`), and
 * whatever single fields there are. Unknown ones stay and are refused, an amount among them.
 */
export function bodyOfForm(form: URLSearchParams): { body: Record<string, unknown>; idempotencyKey: string | null } {
  const prices: unknown[] = []
  const gift: Record<string, string> = {}
  const body: Record<string, unknown> = {}
  let idempotencyKey: string | null = null
  for (const [name, value] of form) {
    if (value === '') continue
    if (priceField.test(name)) prices.push(priceOf(value))
    else if (name.startsWith('gift_')) gift[name.slice('gift_'.length)] = value
    else if (name === 'key') idempotencyKey = value
    else if (name in body) throw new CodedError('input_invalid', `${name} stands twice.`)
    else body[name] = value
  }
  return {
    body: { ...body, prices, ...(Object.keys(gift).length === 0 ? {} : { gift }) },
    idempotencyKey,
  }
}

function priceOf(text: string): unknown {
  const at = text.lastIndexOf(':')
  return at < 0 ? text : { price: text.slice(0, at), quantity: Number(text.slice(at + 1)) }
}
