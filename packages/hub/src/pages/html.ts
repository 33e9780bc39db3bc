/** Markup that is already safe to send. Only `html` makes it, so a text can never slip in as markup. */
export type Markup = { readonly markup: string }

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c)

type Part = Markup | string | number | null | false | readonly Part[]

const render = (part: Part): string => {
  if (part === null || part === false) return ''
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part))
  if ('markup' in part) return part.markup
  return part.map(render).join('')
}

/** `html\`<p>${text}</p>\``: every value is escaped unless it is markup itself; null and false leave nothing. */
export const html = (parts: TemplateStringsArray, ...values: readonly Part[]): Markup => ({
  markup: parts.reduce((all, part, i) => (i === 0 ? part : `${all}${render(values[i - 1] ?? null)}${part}`), ''),
})

export const paragraph = (text: string): Markup => html`<p>${text}</p>`
