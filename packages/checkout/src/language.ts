import { english, type Texts } from './texts.ts'

/** Languages beside English. Each is a file of its own, so that nobody loads what they do not read. */
export const languages: Readonly<Record<string, () => Promise<Texts>>> = {
  de: async () => (await import('./texts-de.ts')).german,
}

/** What is said now. The keys begin with `t_` so that the bundler can shorten them, and only them. */
export let words = english as Texts

/** Reads in the language of the page from now on; English for languages we do not have. */
export async function speak(tag: string, more: object = {}): Promise<void> {
  words = { ...words, ...more, ...(await languages[tag.slice(0, 2).toLowerCase()]?.()) }
}

export const fill = (text: string, values: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
