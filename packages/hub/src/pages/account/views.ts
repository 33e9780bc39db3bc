import { launchPath } from '#entitlements/launch.ts'
import type { UserExport } from '#identity/provider/users.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { html, type Markup, paragraph } from '../html.ts'
import { type Page, scriptOf } from '../page.ts'
import { alert, buttonForm, card } from '../parts.ts'
import { texts } from '../texts.ts'
import type { OwnPlace, OwnSeat } from './read.ts'

const t = texts.account
const addPasskey = scriptOf('add-passkey')

export type Passkey = { readonly id: string; readonly name: string | null; readonly createdAt: string }

export type AccountShown = {
  readonly signedIn: SignedIn
  readonly seats: readonly OwnSeat[]
  readonly places: readonly OwnPlace[]
  /** The built-in account; null for who signs in at an organization's own provider, which keeps these things. */
  readonly user: UserExport | null
  readonly passkeys: readonly Passkey[]
  readonly problem: string | null
  readonly done: string | null
}

// Browsers name themselves after each other; the first of these that is there is the one.
const browsers = { Edg: 'Edge', OPR: 'Opera', Firefox: 'Firefox', Chrome: 'Chrome', Safari: 'Safari' } as const
const systems = { Android: 'Android', iPhone: 'iPhone', iPad: 'iPad', Windows: 'Windows', Mac: 'Mac', Linux: 'Linux' }

/** A browser in words its owner knows; its own text when it is none we know. */
function deviceName(text: string | null): string {
  const find = (names: Readonly<Record<string, string>>) =>
    Object.entries(names).find(([mark]) => text?.includes(mark) === true)?.[1]
  const [browser, system] = [find(browsers), find(systems)]
  if (browser === undefined) return text ?? t.unknownDevice
  return system === undefined ? browser : t.device(browser, system)
}

const day = (at: number | string): string => new Date(at).toISOString().slice(0, 10)

const seatRow = (seat: OwnSeat): Markup =>
  html`<li><div class="row"><div><h3>${seat.course}</h3><p class="note">${
    seat.state === 'open'
      ? seat.school
      : seat.state === 'closed'
        ? texts.launch.closed(seat.endedBecause)
        : t.states[seat.state]
  }</p></div>${
    seat.state === 'open' && buttonForm(`${launchPath}/${seat.enrollmentId}`, t.open)
  }${seat.state === 'unproven' && html`<a href="${launchPath}/${seat.enrollmentId}">${t.prove}</a>`}</div></li>`

const section = (title: string, ...parts: readonly (Markup | null | false)[]): Markup =>
  html`<section class="card"><h2>${title}</h2>${parts}</section>`

export function accountPage(it: AccountShown): Page {
  const { signedIn, seats, user } = it
  return {
    title: t.title,
    formsTo: [...new Set(seats.flatMap((s) => s.origins))],
    scripts: user === null ? [] : [addPasskey],
    body: html`${card(
      alert(it.problem),
      it.done !== null && html`<p class="good" role="status">${it.done}</p>`,
      html`<div class="row"><p>${t.signedInAs(signedIn.email ?? signedIn.name ?? signedIn.subject)}</p>${buttonForm('/account/sign-out', t.signOut, { quiet: true })}</div>`,
    )}${section(
      t.courses,
      seats.length === 0 ? paragraph(t.noCourses) : html`<ul class="rows">${seats.map(seatRow)}</ul>`,
    )}${user !== null && html`${sessionsPart(user, signedIn)}${securityPart(user, it.passkeys)}`}${it.places.map(placePart)}`,
  }
}

const sessionsPart = (user: UserExport, signedIn: SignedIn): Markup =>
  section(
    t.sessions,
    html`<ul class="rows">${user.sessions.map(
      (s) =>
        html`<li><div class="row"><div><p>${deviceName(s.device)}</p><p class="note">${t.since(day(s.createdAt), s.address)}</p></div>${
          s.id === signedIn.sessionId
            ? html`<p class="state good">${t.thisOne}</p>`
            : buttonForm('/account/end-session', t.end, { fields: { session: s.id }, quiet: true })
        }</div></li>`,
    )}</ul>`,
    user.sessions.length > 1 && buttonForm('/account/end-others', t.endOthers, { quiet: true }),
  )

const codeForm = (action: string, label: string, button: string, id: string): Markup =>
  html`<form method="post" action="${action}"><label for="${id}">${label}</label><input id="${id}" class="code" name="code" autocomplete="one-time-code" required maxlength="20"><button type="submit">${button}</button></form>`

const securityPart = (user: UserExport, passkeys: readonly Passkey[]): Markup =>
  html`${section(
    t.factor,
    paragraph(user.secondFactor ? t.factorOn : t.factorOff),
    user.secondFactor
      ? html`${codeForm('/account/second-factor/prove', t.factorCode, t.factorProve, 'prove')}<div class="row">${buttonForm('/account/second-factor/backup-codes', t.newBackupCodes, { quiet: true })}${buttonForm('/account/second-factor/disable', t.factorEnd, { quiet: true })}</div>`
      : buttonForm('/account/second-factor/enable', t.factorBegin),
  )}${section(
    t.passkeys,
    passkeys.length === 0
      ? paragraph(t.noPasskeys)
      : html`<ul class="rows">${passkeys.map((p) => html`<li><div class="row"><p>${p.name ?? t.passkey} <span class="note">${day(p.createdAt)}</span></p>${buttonForm('/account/passkeys/remove', t.remove, { fields: { passkey: p.id }, quiet: true })}</div></li>`)}</ul>`,
    html`<form method="post" action="/account/passkeys/added" data-add-passkey hidden><p class="bad" role="alert" hidden>${t.passkeyFailed}</p><button type="submit" class="quiet">${t.addPasskey}</button></form>`,
  )}${section(
    t.password,
    paragraph(user.hasPassword ? t.passwordOn : t.passwordOff),
    html`<form method="post" action="/account/password"><input type="hidden" name="username" autocomplete="username" value="${user.email}"><label for="new-password">${t.newPassword}</label><input id="new-password" name="password" type="password" autocomplete="new-password" required minlength="10" maxlength="128"><button type="submit" class="quiet">${t.savePassword}</button></form>`,
  )}${section(
    t.address,
    paragraph(t.addressHow(user.email)),
    html`<form method="post" action="/account/email"><label for="new-email">${t.newAddress}</label><input id="new-email" name="email" type="email" autocomplete="email" required maxlength="254"><button type="submit" class="quiet">${texts.signIn.sendCode}</button></form>`,
  )}`

const host = (issuer: string): string => URL.parse(issuer)?.host ?? issuer

const placePart = (place: OwnPlace): Markup =>
  section(
    t.at(place.name),
    place.identities.length > 1 &&
      html`<h3>${t.ways}</h3><ul class="rows">${place.identities.map((i) => html`<li><div class="row"><p>${i.email ?? i.subject} <span class="note">${host(i.issuer)}</span></p>${buttonForm('/account/unlink', t.remove, { fields: { organization: place.slug, issuer: i.issuer, subject: i.subject }, quiet: true })}</div></li>`)}</ul>`,
    paragraph(t.dataHow),
    html`<div class="row">${buttonForm('/account/export', t.export, { fields: { organization: place.slug }, quiet: true })}</div>`,
    html`<details><summary>${t.erase}</summary>${paragraph(t.eraseHow(place.name))}<form method="post" action="/account/erase"><input type="hidden" name="organization" value="${place.slug}"><label><input type="checkbox" name="confirm" value="erase" required> ${t.eraseSure}</label><button type="submit" class="quiet">${t.eraseButton}</button></form></details>`,
  )

/** What the authenticator app needs, shown once. */
export function setUpPage(uri: string, backupCodes: readonly string[], problem: string | null): Page {
  const secret = URL.parse(uri)?.searchParams.get('secret') ?? ''
  const grouped = secret.match(/.{1,4}/g)?.join(' ') ?? secret
  return {
    title: t.setUp.title,
    body: html`${card(
      alert(problem),
      paragraph(t.setUp.how),
      html`<p><code>${grouped}</code></p><p><a href="${uri}">${t.setUp.link}</a></p>`,
      codeForm('/account/second-factor/confirm', t.factorCode, t.setUp.confirm, 'confirm'),
    )}${section(t.backupCodes, paragraph(t.backupHow), codeList(backupCodes))}`,
  }
}

const codeList = (codes: readonly string[]): Markup =>
  html`<ul>${codes.map((c) => html`<li><code>${c}</code></li>`)}</ul>`

export const confirmAgainPage = (problem: string): Page => ({
  title: t.setUp.title,
  status: 400,
  body: card(alert(problem), codeForm('/account/second-factor/confirm', t.factorCode, t.setUp.confirm, 'confirm')),
})

export const backupCodesPage = (codes: readonly string[]): Page => ({
  title: t.backupCodes,
  body: card(paragraph(t.backupHow), codeList(codes), html`<p><a href="/account">${t.back}</a></p>`),
})

export const emailCodePage = (email: string, problem: string | null): Page => ({
  title: texts.signIn.codeTitle,
  ...(problem === null ? {} : { status: 400 }),
  body: card(
    alert(problem),
    paragraph(texts.signIn.codeSent(email)),
    html`<form method="post" action="/account/email/confirm"><input type="hidden" name="email" value="${email}"><label for="code">${texts.signIn.code}</label><input id="code" class="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="20"><button type="submit">${t.changeAddress}</button></form>`,
    html`<p><a href="/account">${t.back}</a></p>`,
  ),
})
