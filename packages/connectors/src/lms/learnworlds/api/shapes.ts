import * as z from 'zod'

/** UNIX seconds, whole or broken, on the wire; epoch milliseconds for us. */
export const time = z.number().transform((seconds) => Math.round(seconds * 1_000))

/** Descriptive fields: absent, null or of an unexpected kind all mean "not known" and never fail a page. */
export const maybe = <T extends z.ZodType>(schema: T) => schema.nullable().catch(null)
export const maybeTime = maybe(time)
export const maybeText = maybe(z.string())
export const maybeNumber = maybe(z.number())
export const texts = z.array(z.string()).catch([])

/** Flags that decide something: absent is false, a wrong kind fails. */
export const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false)

export const productTypes = ['course', 'bundle', 'subscription'] as const
export type ProductType = (typeof productTypes)[number]
export const productType = z.enum(productTypes)

export type ProductRef = { readonly productId: string; readonly productType: ProductType }

/** Epoch milliseconds to what LearnWorlds expects in a filter. */
export const toSeconds = (ms: number | null | undefined): number | null =>
  ms === null || ms === undefined ? null : ms / 1_000
