/**
 * What the host page and the frame say to each other. Nothing else crosses: no token, no address, no amount. Whoever
 * listens checks the sender's window and origin first, then asks these functions; what they do not know is ignored.
 */

export const elements = ['checkout', 'payment-form', 'payment-status', 'login', 'auth-status', 'profile-menu'] as const
export type ElementName = (typeof elements)[number]

export const modes = ['elements', 'embedded_page', 'hosted_page'] as const
export type Mode = (typeof modes)[number]

/** How things stand, as the host page may know it. */
export const statuses = [
  'ready',
  'paying',
  'declined',
  'processing',
  'paid',
  'expired',
  'signing_in',
  'signed_in',
  'signed_out',
  'refused',
  'preparing',
  'waiting',
  'open',
  'closed',
  'failed',
  'blocked',
] as const
export type Status = (typeof statuses)[number]

export const eventNames = [
  'paymentSuccess',
  'paymentError',
  'paymentProcessing',
  'loginSuccess',
  'loginError',
  'signupSuccess',
] as const
export type EventName = (typeof eventNames)[number]

/** All that an event of an element carries. */
export type Detail = { readonly status: Status; readonly orderRef: string | null }

export type Config = {
  readonly prices: readonly string[]
  readonly mode: Mode
  readonly email: string
  readonly orderRef: string
  readonly promotionCode: string
  readonly returnUrl: string
  readonly gift: boolean
}

export type Theme = {
  readonly accent: string
  readonly background: string
  readonly font: string
  readonly radius: string
  readonly 'colour-scheme': string
}

export type Hello = { readonly kind: 'hello'; readonly config: Config; readonly theme: Theme }
export type FromFrame =
  | { readonly kind: 'ready' }
  | { readonly kind: 'height'; readonly px: number }
  | ({ readonly kind: 'status'; readonly event: EventName | null } & Detail)

const heightPxMax = 6_000
const textMax = 500
const pricesMax = 20
const orderRefPattern = /^ord_[0-9a-z]{1,40}$/
const pricePattern = /^[\w.-]{1,100}(:[1-9]\d{0,3})?$/

type Raw = Readonly<Record<string, unknown>>
const text = (value: unknown): string => (typeof value === 'string' && value.length <= textMax ? value : '')
const oneOf = <T extends string>(list: readonly T[], value: unknown): T | null =>
  (list as readonly unknown[]).includes(value) ? (value as T) : null
const ours = (data: unknown, nonce: string): Raw | null =>
  typeof data === 'object' && data !== null && (data as Raw).bursar === 1 && (data as Raw).nonce === nonce
    ? (data as Raw)
    : null

export const orderRefOf = (value: unknown): string | null => (orderRefPattern.test(text(value)) ? text(value) : null)

/** Price ids with an optional `:quantity`, from an attribute's text or a list; anything else is left out. */
export const pricesOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : text(value).split(/[\s,]+/))
    .filter((price) => pricePattern.test(text(price)))
    .slice(0, pricesMax)

/** A message of the frame, or null when it is not one. */
export function readFromFrame(data: unknown, nonce: string): FromFrame | null {
  const raw = ours(data, nonce)
  if (raw === null) return null
  if (raw.kind === 'ready') return { kind: 'ready' }
  if (raw.kind === 'height') {
    const px = raw.px as number
    return Number.isInteger(px) && px >= 0 && px <= heightPxMax ? { kind: 'height', px } : null
  }
  const status = oneOf(statuses, raw.status)
  if (raw.kind !== 'status' || status === null) return null
  return { kind: 'status', status, orderRef: orderRefOf(raw.orderRef), event: oneOf(eventNames, raw.event) }
}

const colourPattern =
  /^(#[0-9a-f]{3,8}|[a-z]{3,20}|(rgb|hsl|hwb|lab|lch|oklab|oklch|color)a?\([a-z\d.%,\s/+-]{1,60}\))$/i
const fontPattern = /^[\w\s,'"-]{1,200}$/
const radiusPattern = /^(\d{1,2}(\.\d{1,3})?|\.\d{1,3})(px|rem|em)?$/
const fitting = (pattern: RegExp, value: unknown): string => (pattern.test(text(value)) ? text(value) : '')

/** Only values that can colour, round and write: no url(), no further declarations. */
export const themeOf = (raw: Raw): Theme => ({
  accent: fitting(colourPattern, raw.accent),
  background: fitting(colourPattern, raw.background),
  font: fitting(fontPattern, raw.font),
  radius: fitting(radiusPattern, raw.radius),
  'colour-scheme': fitting(/^(light|dark)$/, raw['colour-scheme']),
})

export const configOf = (raw: Raw): Config => ({
  prices: pricesOf(raw.prices),
  mode: oneOf(modes, raw.mode) ?? 'elements',
  email: text(raw.email),
  orderRef: orderRefOf(raw.orderRef) ?? '',
  promotionCode: text(raw.promotionCode),
  returnUrl: text(raw.returnUrl),
  gift: raw.gift === true,
})

/** The host's greeting, or null when it is not one. */
export function readHello(data: unknown, nonce: string): Hello | null {
  const raw = ours(data, nonce)
  if (raw?.kind !== 'hello') return null
  return { kind: 'hello', config: configOf((raw.config ?? {}) as Raw), theme: themeOf((raw.theme ?? {}) as Raw) }
}
