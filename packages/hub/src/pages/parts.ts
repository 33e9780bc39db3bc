import { html, type Markup } from './html.ts'

/** The one box on a page that holds what it is about. */
export const card = (...parts: readonly (Markup | null | false)[]): Markup =>
  html`<section class="card">${parts}</section>`

export const hidden = (name: string, value: string | null): Markup | null =>
  value === null ? null : html`<input type="hidden" name="${name}" value="${value}">`

/** A form of one button. */
export const buttonForm = (
  action: string,
  label: string,
  more: { readonly fields?: Readonly<Record<string, string>>; readonly quiet?: boolean } = {},
): Markup =>
  html`<form method="post" action="${action}">${Object.entries(more.fields ?? {}).map(([k, v]) => hidden(k, v))}<button type="submit"${
    more.quiet === true && html` class="quiet"`
  }>${label}</button></form>`

/** What went wrong with what was just sent; read out at once. */
export const alert = (text: string | null): Markup | null =>
  text === null ? null : html`<p class="bad" role="alert">${text}</p>`

export const buttonLink = (href: string, label: string, quiet = false): Markup =>
  html`<p><a class="${quiet ? 'button quiet' : 'button'}" href="${href}">${label}</a></p>`
