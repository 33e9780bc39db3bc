import { createHash } from 'node:crypto'
import { type LaunchSeat, type LaunchState, launchPath, schoolOrigins } from '#entitlements/launch.ts'

const style = `:root{color-scheme:light dark}
body{margin:0;font:1.125rem/1.6 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:34rem;margin:12vh auto;padding:0 1.5rem}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 1rem}
button{font:inherit;font-weight:600;padding:.8rem 1.6rem;min-height:3rem;border:2px solid #1a4fd0;border-radius:.5rem;background:#1a4fd0;color:#fff;cursor:pointer}
button:focus-visible,a:focus-visible{outline:3px solid currentColor;outline-offset:3px}
small{display:block;margin-top:2rem;opacity:.8}`

const styleHash = createHash('sha256').update(style).digest('base64')

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c)

/**
 * The headers of a launch page. `form-action` names the school too: browsers hold the redirect after a form to it.
 */
export function pageHeaders(seat: LaunchSeat | null): Record<string, string> {
  const origins = seat === null ? [] : schoolOrigins(seat.schoolConfig)
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action ${["'self'", ...origins].join(' ')}; base-uri 'none'; frame-ancestors 'none'`,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  }
}

const frame = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${escapeHtml(title)}</title><style>${style}</style></head><body><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>`

const paragraph = (text: string): string => `<p>${escapeHtml(text)}</p>`

const noSecondPayment = 'You do not need to pay or order again.'

const texts: Readonly<Record<Exclude<LaunchState, 'open'>, (seat: LaunchSeat) => string>> = {
  preparing: (s) => `Your seat at ${s.school} is being prepared. This usually takes a few seconds. ${noSecondPayment}`,
  waiting: (s) =>
    `Your seat at ${s.school} could not be opened yet. We know about it and keep working on it. ${noSecondPayment}`,
  closed: (s) => `Access to this course has ended. ${s.endedBecause ?? ''}`.trim(),
  staff: (s) =>
    `The account with your address belongs to the staff of ${s.school}, so this link does not sign you in. Sign in at the school as you always do.`,
}

/** What a link leads to, before anything happens: the button, or an honest word about why there is none yet. */
export function seatPage(seat: LaunchSeat, state: LaunchState, token: string): string {
  if (state !== 'open') return frame(seat.course, paragraph(texts[state](seat)))
  const form = `<form method="post" action="${launchPath}/${escapeHtml(seat.enrollmentId)}"><input type="hidden" name="token" value="${escapeHtml(token)}"><button type="submit">Open the course</button></form>`
  const note = `<small>This link signs you in at ${escapeHtml(seat.school)}. It works once and only for you.</small>`
  return frame(seat.course, form + note)
}

export const expiredPage = (): string =>
  frame(
    'This link has ended',
    paragraph(
      'It was used already or is too old. Go back to where you found it and ask for a new one. Your course is not lost.',
    ),
  )

export const unavailablePage = (course: string, refused: boolean): string =>
  frame(
    course,
    paragraph(
      refused
        ? 'The school does not sign this account in. Please write to whoever sold you the course; they can see why.'
        : `The school does not answer right now. Please try again in a minute; this link stays good. ${noSecondPayment}`,
    ),
  )

export const busyPage = (): string =>
  frame('One moment', paragraph('There were too many requests from your network. Please try again in a minute.'))
