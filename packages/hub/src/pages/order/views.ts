import type { ClaimResult } from '#orders/claim.ts'
import { launchPathOf, type OrderShown, type SeatShown } from '#orders/view.ts'
import { html, type Markup, paragraph } from '../html.ts'
import { liveMark, type Page, scriptOf } from '../page.ts'
import { buttonForm, buttonLink, card } from '../parts.ts'
import { signInPath } from '../return-path.ts'
import { texts } from '../texts.ts'

const t = texts.order
const live = scriptOf('live')

type Shown = {
  readonly order: OrderShown
  readonly slug: string
  readonly signedIn: boolean
  readonly formsTo: readonly string[]
}

const seatRow = (seat: SeatShown, mayOpen: boolean): Markup =>
  html`<li><div class="row"><div><h2>${seat.course}</h2><p class="note">${seat.message}</p></div>${
    mayOpen &&
    seat.state === 'open' &&
    seat.enrollmentId !== null &&
    buttonForm(launchPathOf(seat.enrollmentId), t.open)
  }</div></li>`

/** The order and, once it is somebody's, its courses with a button each. */
export function orderPage({ order, slug, signedIn, formsTo }: Shown): Page {
  const path = `/orders/${order.orderRef}`
  const signIn = signInPath(path, null, slug)
  const mine = order.claimed && signedIn
  const moves =
    order.payment === 'pending' ||
    order.payment === 'processing' ||
    order.seats.some((s) => (s.state === 'preparing' || s.state === 'waiting') && !s.stuck)
  return {
    title: t.title,
    formsTo,
    ...(moves ? { scripts: [live], live: liveMark(order) } : {}),
    body: html`${card(
      html`<p role="status" class="${order.payment === 'paid' ? 'good' : moves ? 'waiting' : ''}">${t.payment[order.payment]}</p>`,
      nextStep(order, { signedIn, signIn, path }),
    )}${
      order.seats.length > 0 &&
      card(html`<ul class="rows" aria-label="${t.seats}">${order.seats.map((s) => seatRow(s, mine))}</ul>`)
    }`,
  }
}

function nextStep(
  order: OrderShown,
  at: { readonly signedIn: boolean; readonly signIn: string; readonly path: string },
): Markup | null {
  if (order.payment !== 'paid') return null
  if (order.gift) return paragraph(t.gift)
  if (order.claimed) return at.signedIn ? null : html`${paragraph(t.claimed)}${buttonLink(at.signIn, t.claimButton)}`
  if (at.signedIn) return buttonForm(`${at.path}/claim`, t.take)
  return html`${paragraph(t.claim)}${buttonLink(at.signIn, t.claimButton)}`
}

export const confirmPage = (orderRef: string, it: Extract<ClaimResult, { kind: 'confirm' }>): Page => ({
  title: t.title,
  body: card(
    paragraph(t.confirm(it.paidEmail, it.yourEmail)),
    buttonForm(`/orders/${orderRef}/claim`, t.confirmButton, { fields: { confirm: 'yes' } }),
    buttonLink(signInPath(`/orders/${orderRef}`), texts.signIn.otherAddress, true),
  ),
})

export const claimRefusedPage = (kind: keyof typeof texts.claim.refused, path: string): Page => ({
  title: t.title,
  body: card(paragraph(texts.claim.refused[kind]), buttonLink(signInPath(path), texts.launch.prove, true)),
})

export const signInFirstPage = (back: string): Page => ({
  title: t.signIn.title,
  body: card(paragraph(t.signIn.text), buttonLink(signInPath(back), texts.signIn.title)),
})

export const unknownPage = (back: string): Page => ({
  title: t.unknown.title,
  body: card(paragraph(t.unknown.text), buttonLink(signInPath(back), texts.signIn.otherAddress, true)),
})
