import type { Id } from '@bursar/kit/ids.ts'
import { type Money, type MoneyJson, moneyFromJson, moneyToJson } from '@bursar/kit/money.ts'
import { z } from 'zod'

/** An id of ours with this prefix. */
export function id<Prefix extends string>(prefix: Prefix): z.ZodType<Id<Prefix>, Id<Prefix>> {
  const pattern = new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`)
  // The pattern proves the prefix, which zod's types cannot see.
  return z.string().regex(pattern, `not an id that begins with ${prefix}_`) as unknown as z.ZodType<
    Id<Prefix>,
    Id<Prefix>
  >
}

/** A moment: ISO 8601 in UTC on the wire, an `Instant` inside. */
export const instant = z.codec(z.iso.datetime(), z.number().int(), {
  decode: (text) => Date.parse(text),
  encode: (at) => new Date(at).toISOString(),
})

/** A whole number of any size, such as minor units of money: decimal digits on the wire, a bigint inside. */
export const integer = z.codec(z.string().regex(/^(0|-?[1-9]\d{0,17})$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
})

const moneyJson: z.ZodType<MoneyJson, MoneyJson> = z.object({
  amount: z.string().regex(/^(0|-?[1-9]\d{0,17})$/),
  currency: z.string().length(3),
  exponent: z.number().int(),
})

/** Money: minor units as digits with currency and exponent on the wire, `Money` inside. */
export const money = z.codec(moneyJson, z.custom<Money>(), {
  decode: (value, ctx) => {
    try {
      return moneyFromJson(value)
    } catch (error) {
      ctx.issues.push({ code: 'custom', input: value, message: error instanceof Error ? error.message : 'not money' })
      return z.NEVER
    }
  },
  encode: moneyToJson,
})

/** Marks a field whose value must never reach the audit, a log or an error. */
export const secret = <T extends z.ZodType>(type: T): T => type.meta({ secret: true })

/** How a list is asked for: at most `limit` rows after the id `after`. */
export const page = { after: z.string().max(60).optional(), limit: z.number().int().min(1).max(200).default(50) }
