import type { Texts } from './texts/all.ts'
import { englishPay } from './texts/pay.ts'

/** Languages beside English. Each is a file of its own, so that nobody loads what they do not read. */
export const languages: Readonly<Record<string, () => Promise<Texts>>> = {
  de: async () => (await import('./texts/texts-de.ts')).german,
}

/**
 * What is said now: at first the way to the payment in English; later steps bring their own words. The keys begin with
 * `t_` so that the bundler can shorten them, and only them.
 */
export let words = englishPay as Texts

/** Reads in the language of the page from now on; English for languages we do not have. */
export async function speak(tag: string): Promise<void> {
  words = { ...words, ...(await languages[tag.slice(0, 2).toLowerCase()]?.()) }
}

/** English words of a further step. What is known already stays: it may be another language's. */
export const learn = (more: Partial<Texts>): void => {
  words = { ...more, ...words }
}

export const fill = (text: string, values: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
