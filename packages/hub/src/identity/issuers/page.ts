import { createHash } from 'node:crypto'
import type { SignInFailure } from './code-flow.ts'

const style = `:root{color-scheme:light dark}
body{margin:0;font:1.125rem/1.6 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:32rem;margin:12vh auto;padding:0 1.5rem}
h1{font-size:1.5rem;line-height:1.25}
button{font:inherit;font-weight:600;padding:.8rem 1.6rem;min-height:3rem;border:2px solid #1a4fd0;border-radius:.5rem;background:#1a4fd0;color:#fff;cursor:pointer}
button:focus-visible{outline:3px solid currentColor;outline-offset:3px}`

// The code goes to the hub's own origin and to nobody else: an opener that has moved on gets nothing.
const script = `const m=document.querySelector('main').dataset;
if(window.opener){window.opener.postMessage({type:'bursar:sign-in',code:m.code||null,error:m.error||null},m.origin);window.close()}`

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/**
 * Headers of a page in the popup. The opener policy is open on purpose, on the redirect to the provider as well: the
 * strict one would cut the popup off from the frame that waits for it.
 */
export const popupHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'cross-origin-opener-policy': 'unsafe-none',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

const frame = (title: string, data: Readonly<Record<string, string>>, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${escapeHtml(title)}</title><style>${style}</style></head><body><main ${Object.entries(
    data,
  )
    .map(([name, value]) => `data-${name}="${escapeHtml(value)}"`)
    .join(' ')}><h1>${escapeHtml(title)}</h1>${body}</main><script>${script}</script></body></html>`

/** Hands the one-time code to the opener; where there is none left, the button goes on in this window. */
export const handOverPage = (origin: string, code: string): string =>
  frame(
    'You are signed in',
    { origin, code },
    `<p>This window closes by itself. If it stays open, go on here.</p><form method="post" action="/sign-in/external/finish"><input type="hidden" name="code" value="${escapeHtml(code)}"><button type="submit">Continue</button></form>`,
  )

const sentences: Readonly<Record<SignInFailure, string>> = {
  unknown: 'This way to sign in is not offered here any more.',
  state: 'This sign-in was begun in another window or too long ago. Please start again where you came from.',
  denied: 'The sign-in was not finished. You can close this window and try again.',
  second_factor:
    'This step needs a second factor, and your provider did not ask for one. Set one up there and try again.',
  refused: 'Your provider did not let the sign-in through. Please try again, or choose another way to sign in.',
  unavailable:
    'Your provider does not answer right now. Please try again in a minute, or choose another way to sign in.',
}

export const failureStatus: Readonly<Record<SignInFailure, number>> = {
  unknown: 404,
  state: 400,
  denied: 403,
  second_factor: 403,
  refused: 403,
  unavailable: 502,
}

export const failedPage = (origin: string, reason: SignInFailure): string =>
  frame('You are not signed in', { origin, error: reason }, `<p>${escapeHtml(sentences[reason])}</p>`)
