import { paymentsOf } from './invoices.ts'
import { Refusal, type Wire, type World, wireForm } from './world.ts'

/** Stripe's own limit. */
const maxDepth = 4

const isWire = (value: unknown): value is Wire => typeof value === 'object' && value !== null && !Array.isArray(value)

const listOf = (items: readonly object[], url: string, limit: number): Wire => ({
  object: 'list',
  data: items.slice(0, limit).map(wireForm),
  has_more: items.length > limit,
  url,
})

const prefixes = (world: World): readonly (readonly [string, ReadonlyMap<string, object>])[] => [
  ['cs_', world.sessions],
  ['pi_', world.payments],
  ['ch_', world.charges],
  ['re_', world.refunds],
  ['du_', world.disputes],
  ['in_', world.invoices],
  ['inpay_', world.invoicePayments],
  ['sub_', world.subscriptions],
  ['cus_', world.customers],
  ['price_', world.prices],
  ['prod_', world.products],
  ['txn_', world.transactions],
  ['plink_', world.links],
  ['promo_', world.promotionCodes],
  ['clock_', world.clocks],
]

/** The object behind an id, as it is now. */
export function lookUp(world: World, id: string): Wire | null {
  for (const [prefix, map] of prefixes(world)) {
    const found = id.startsWith(prefix) ? map.get(id) : undefined
    if (found !== undefined) return wireForm(found)
  }
  const product = world.products.get(id)
  return product === undefined ? null : wireForm(product)
}

/** Lists that stand on an object only when asked for. */
function includable(world: World, object: Wire, field: string): Wire | null {
  const id = String(object.id)
  if (field === 'line_items' && (object.object === 'checkout.session' || object.object === 'payment_link'))
    return listOf(world.lines.get(id) ?? [], `/v1/checkout/sessions/${id}/line_items`, 10)
  if (field === 'refunds' && object.object === 'charge') {
    const refunds = [...world.refunds.values()].filter((refund) => refund.charge === id).reverse()
    return listOf(refunds, `/v1/charges/${id}/refunds`, 10)
  }
  if (field === 'payments' && object.object === 'invoice')
    return listOf(paymentsOf(world, id), `/v1/invoice_payments?invoice=${id}`, 10)
  return null
}

function expandOne(world: World, object: Wire, path: readonly string[], full: string): void {
  const [field, ...rest] = path
  if (field === undefined) return
  let value = object[field]
  if (Array.isArray(value)) {
    for (const item of value) if (isWire(item)) expandOne(world, item, rest, full)
    return
  }
  if (typeof value === 'string') {
    const found = lookUp(world, value)
    if (found === null) throw notExpandable(full)
    object[field] = found
    value = found
  } else if (value === undefined) {
    const found = includable(world, object, field)
    if (found === null) throw notExpandable(full)
    object[field] = found
    value = found
  }
  if (isWire(value)) expandOne(world, value, rest, full)
}

const notExpandable = (path: string) =>
  new Refusal(`This property cannot be expanded (${path}).`, { param: 'expand', code: 'property_not_expandable' })

/** `expand[]` on an answer. Works on a copy in wire form; `null` on the way is left alone, as Stripe does. */
export function expand(world: World, answer: object, paths: readonly string[]): Wire {
  const copy = wireForm(answer)
  for (const path of paths) {
    const steps = path.split('.')
    if (steps.filter((step) => step !== 'data').length > maxDepth)
      throw new Refusal(`You cannot expand more than ${maxDepth} levels of a property. Property: ${path}`, {
        param: 'expand',
      })
    expandOne(world, copy, steps, path)
  }
  return copy
}
