import { launchPath } from '#entitlements/launch.ts'
import { schoolOrigins } from '#entitlements/launch-path.ts'
import type { LaunchSeat, LaunchState } from '#entitlements/launch-seat.ts'
import { maskEmail } from '#mail/address.ts'
import { html, type Markup, paragraph } from '../html.ts'
import { liveMark, type Page, scriptOf } from '../page.ts'
import { signInPath } from '../return-path.ts'
import { texts } from '../texts.ts'

const t = texts.launch
const live = scriptOf('live')

/** How somebody came to the door: with a link's token, or signed in; and where in the school they want to land. */
export type Way = { readonly token: string | null; readonly redirectTo: string | null }

const card = (...parts: (Markup | null)[]): Markup => html`<section class="card">${parts}</section>`

const hidden = (name: string, value: string | null): Markup | null =>
  value === null ? null : html`<input type="hidden" name="${name}" value="${value}">`

/** What a seat leads to, before anything happens: the button, or an honest word about why there is none yet. */
export function seatPage(seat: LaunchSeat, state: LaunchState, way: Way): Page {
  const page = { title: seat.course, from: seat.school }
  switch (state) {
    case 'open':
      return {
        ...page,
        formsTo: schoolOrigins(seat.schoolConfig),
        body: card(
          html`<form method="post" action="${launchPath}/${seat.enrollmentId}">${hidden('token', way.token)}${hidden('redirectTo', way.redirectTo)}<button type="submit">${t.open}</button></form>`,
          html`<p class="note">${way.token === null ? t.own(seat.school) : t.once(seat.school)}</p>`,
        ),
      }
    case 'preparing':
    case 'waiting':
      return {
        ...page,
        scripts: [live],
        live: liveMark(state),
        body: card(
          html`<p class="waiting" role="status">${t[state](seat.school)}</p>`,
          html`<p class="note">${t.live}</p>`,
        ),
      }
    case 'closed':
      return { ...page, body: card(paragraph(t.closed(seat.endedBecause))) }
    case 'staff':
      return { ...page, body: card(paragraph(t.staff(seat.school))) }
    case 'unproven':
      return {
        ...page,
        body: card(
          paragraph(t.unproven(seat.school, maskEmail(seat.accountEmail))),
          html`<p><a class="button" href="${signInPath(`${launchPath}/${seat.enrollmentId}`)}">${t.prove}</a></p>`,
        ),
      }
  }
}

export const endedPage: Page = { title: t.ended.title, body: card(paragraph(t.ended.text)) }

export const unknownPage = (back: string, organization: string | null): Page => ({
  title: t.unknown.title,
  body: card(
    paragraph(t.unknown.text),
    html`<p><a class="button quiet" href="${signInPath(back, null, organization)}">${t.otherAccount}</a></p>`,
  ),
})

export const signInFirstPage = (back: string, organization: string | null): Page => ({
  title: t.signIn.title,
  body: card(
    paragraph(t.signIn.text),
    html`<p><a class="button" href="${signInPath(back, null, organization)}">${t.signIn.button}</a></p>`,
  ),
})

export const unavailablePage = (seat: LaunchSeat, reason: 'refused' | 'unavailable'): Page => ({
  title: seat.course,
  from: seat.school,
  body: card(paragraph(reason === 'refused' ? t.refused : t.unavailable(seat.linkId === null ? '' : t.linkStays))),
})
