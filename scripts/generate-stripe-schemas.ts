/**
 * The text of packages/connectors/src/payments/stripe/schemas.generated.json: one JSON Schema per request the
 * simulator answers, made from the SDK's own types, so that the simulator refuses what Stripe refuses. Part of
 * `npm run generate`, for every upgrade of `stripe`; the version stands in the file and a test compares it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Stripe from 'stripe'
import { createGenerator } from 'ts-json-schema-generator'

const root = join(import.meta.dirname, '..')

/** Operation of the simulator → the SDK's type of its parameters. */
const operations = {
  products_create: 'ProductCreateParams',
  products_update: 'ProductUpdateParams',
  products_list: 'ProductListParams',
  prices_create: 'PriceCreateParams',
  prices_update: 'PriceUpdateParams',
  prices_list: 'PriceListParams',
  customers_create: 'CustomerCreateParams',
  customers_update: 'CustomerUpdateParams',
  customers_list: 'CustomerListParams',
  coupons_create: 'CouponCreateParams',
  coupons_list: 'CouponListParams',
  promotion_codes_create: 'PromotionCodeCreateParams',
  promotion_codes_update: 'PromotionCodeUpdateParams',
  promotion_codes_list: 'PromotionCodeListParams',
  sessions_create: 'Checkout.SessionCreateParams',
  sessions_list: 'Checkout.SessionListParams',
  sessions_line_items: 'Checkout.SessionListLineItemsParams',
  sessions_expire: 'Checkout.SessionExpireParams',
  payment_intents_create: 'PaymentIntentCreateParams',
  payment_intents_confirm: 'PaymentIntentConfirmParams',
  payment_intents_cancel: 'PaymentIntentCancelParams',
  payment_intents_list: 'PaymentIntentListParams',
  charges_list: 'ChargeListParams',
  refunds_create: 'RefundCreateParams',
  refunds_update: 'RefundUpdateParams',
  refunds_cancel: 'RefundCancelParams',
  refunds_list: 'RefundListParams',
  disputes_list: 'DisputeListParams',
  disputes_close: 'DisputeCloseParams',
  payment_links_create: 'PaymentLinkCreateParams',
  payment_links_update: 'PaymentLinkUpdateParams',
  payment_links_list: 'PaymentLinkListParams',
  payment_links_line_items: 'PaymentLinkListLineItemsParams',
  invoices_list: 'InvoiceListParams',
  invoices_lines: 'InvoiceListLineItemsParams',
  invoice_payments_list: 'InvoicePaymentListParams',
  subscriptions_update: 'SubscriptionUpdateParams',
  subscriptions_cancel: 'SubscriptionCancelParams',
  subscriptions_list: 'SubscriptionListParams',
  subscriptions_pause: 'SubscriptionPauseParams',
  subscriptions_resume: 'SubscriptionResumeParams',
  subscription_items_list: 'SubscriptionItemListParams',
  balance_transactions_list: 'BalanceTransactionListParams',
  test_clocks_create: 'TestHelpers.TestClockCreateParams',
  test_clocks_advance: 'TestHelpers.TestClockAdvanceParams',
  test_clocks_list: 'TestHelpers.TestClockListParams',
  events_list: 'EventListParams',
  webhook_endpoints_list: 'WebhookEndpointListParams',
  v2_events_list: 'V2.Core.EventListParams',
  retrieve: 'ProductRetrieveParams',
} as const

type Node = { [key: string]: unknown }
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)
const refPrefix = '#/definitions/'

// `string & Record<never, never>` is the SDK's mark for "a value we do not know yet": fine to receive, wrong to send.
const isOpen = (node: unknown): boolean => isNode(node) && node.$ref === `${refPrefix}OtherString`

/** A union of known words and any word becomes the known words; descriptions go. */
function tighten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tighten)
  if (!isNode(value)) return value
  const node: Node = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, tighten(inner)]))
  if (!Array.isArray(node.anyOf) || !node.anyOf.some(isOpen)) return node
  const { anyOf, ...rest } = node
  const kept = node.anyOf.filter((branch) => !isOpen(branch))
  return kept.length === 1 && isNode(kept[0]) ? { ...rest, ...kept[0] } : { ...rest, anyOf: kept }
}

/**
 * One request's schema, complete in itself, with the definitions it reaches under short names in the order they are
 * reached: the generator's own names hold hashes of file positions and would differ between machines.
 */
function closed(root: string, definitions: Readonly<Record<string, unknown>>): Node {
  const names = new Map<string, string>()
  const out: Node = {}
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit)
    if (!isNode(value)) return value
    if (typeof value.$ref === 'string')
      return { $ref: `${refPrefix}${short(decodeURIComponent(value.$ref.slice(refPrefix.length)))}` }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, visit(inner)]))
  }
  const short = (name: string): string => {
    const known = names.get(name)
    if (known !== undefined) return known
    const made = `d${names.size}`
    names.set(name, made)
    // The SDK's Decimal is a class; on the wire it is a string of digits.
    out[made] = name === 'Decimal' ? { type: 'string', pattern: '^-?[0-9]+([.][0-9]+)?$' } : {}
    if (name !== 'Decimal') out[made] = visit(tighten(definitions[name]))
    return made
  }
  return { $ref: `${refPrefix}${short(root)}`, definitions: out }
}

const compilerOptions = {
  target: 'es2022',
  module: 'nodenext',
  moduleResolution: 'nodenext',
  strict: true,
  skipLibCheck: true,
  types: ['node'],
  noEmit: true,
}

/** The whole file as it should be. */
export function stripeSchemas(): string {
  // Inside the package, so that `stripe` is found as the package finds it.
  const folder = mkdtempSync(join(root, 'packages/connectors/.schemas-'))
  try {
    const entry = join(folder, 'requests.ts')
    const lines = Object.entries(operations).map(([name, type]) => `export type ${name} = Stripe.${type}`)
    writeFileSync(entry, `import type { Stripe } from 'stripe'\n${lines.join('\n')}\n`)
    const tsconfig = join(folder, 'tsconfig.json')
    writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: ['requests.ts'] }))
    const generator = createGenerator({
      path: entry,
      tsconfig,
      expose: 'export',
      topRef: true,
      jsDoc: 'none',
      skipTypeCheck: true,
      additionalProperties: false,
    })
    const requests = Object.fromEntries(
      Object.keys(operations).map((name) => [name, closed(name, generator.createSchema(name).definitions ?? {})]),
    )
    return `${JSON.stringify({ stripe: Stripe.PACKAGE_VERSION, requests })}\n`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
