import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { html, type Markup } from './html.ts'

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')
const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const style = read('./style.css')
const styleHash = hashOf(style)

/** What runs in a page of ours. Each is a file of its own, stands in the page whole, and is allowed by its hash. */
export type Script = { readonly text: string; readonly hash: string }

export function scriptOf(name: string): Script {
  const text = read(`./scripts/${name}.js`)
  return { text, hash: hashOf(text) }
}

export type Page = {
  readonly title: string
  /** Whose page it is, above the title; left out where nobody's. */
  readonly from?: string
  readonly body: Markup
  readonly status?: number
  /** Other origins a form of this page may end at: browsers hold the redirect after a form to the same rule. */
  readonly formsTo?: readonly string[]
  readonly scripts?: readonly Script[]
  /** What the page shows, as `liveMark` gives it; scripts/live.js shows the page anew when the answer's differs. */
  readonly live?: string
  /** Where the browser goes on by itself, at once. */
  readonly goTo?: string
}

const allow = (values: readonly string[]): string => (values.length === 0 ? "'none'" : values.join(' '))

/** The headers of a page: nothing may run, load or frame it but what it names itself; nobody keeps or forwards it. */
export function headersOf(page: Pick<Page, 'formsTo' | 'scripts'>): Record<string, string> {
  const scripts = page.scripts ?? []
  const policy = [
    "default-src 'none'",
    `style-src ${styleHash}`,
    `script-src ${allow(scripts.map((s) => s.hash))}`,
    `connect-src ${scripts.length === 0 ? "'none'" : "'self'"}`,
    `form-action ${["'self'", ...(page.formsTo ?? [])].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ]
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  }
}

/** A short name for a state: equal states, equal names. Says nothing about what is in it. */
export const liveMark = (state: unknown): string =>
  createHash('sha256').update(JSON.stringify(state)).digest('base64url').slice(0, 22)

const raw = (text: string): Markup => ({ markup: text })

/** The one frame around every page. */
export const documentOf = (page: Page): string =>
  html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">${
    page.goTo !== undefined && html`<meta http-equiv="refresh" content="0; url=${page.goTo}">`
  }<title>${page.title}</title><style>${raw(style)}</style></head><body><main${
    page.live !== undefined && html` data-live="${page.live}"`
  }>${
    page.from !== undefined && html`<p class="from">${page.from}</p>`
  }<h1>${page.title}</h1>${page.body}</main>${(page.scripts ?? []).map((s) => html`<script>${raw(s.text)}</script>`)}</body></html>`
    .markup
