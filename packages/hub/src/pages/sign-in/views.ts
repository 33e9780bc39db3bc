import type { SignInMethod } from '#surfaces/sign-in-routes.ts'
import { html, type Markup, paragraph } from '../html.ts'
import { type Page, scriptOf } from '../page.ts'
import { alert, buttonForm, card } from '../parts.ts'
import { texts } from '../texts.ts'
import { type SignInWay, stepPath } from './way.ts'

const t = texts.signIn
const passkey = scriptOf('passkey')

const pageOf = (way: SignInWay, from: string | null, page: Omit<Page, 'formsTo'>): Page => ({
  ...page,
  ...(from === null ? {} : { from }),
  ...(way.applicationOrigin === null ? {} : { formsTo: [way.applicationOrigin] }),
})

export type SignInShown = {
  readonly way: SignInWay
  /** Whose page it is; null for the hub's own. */
  readonly from: string | null
  readonly methods: readonly SignInMethod[]
  readonly signedInAs: string | null
  readonly problem: string | null
  readonly email: string
}

const emailField = (email: string, id: string): Markup =>
  html`<label for="${id}">${t.email}</label><input id="${id}" name="email" type="email" autocomplete="username" required maxlength="254" value="${email}">`

/** The first step: a code to a mailbox; everything else behind "Other ways". */
export function signInPage(it: SignInShown): Page {
  const { way } = it
  const code = html`<form method="post" action="${stepPath('code', way)}">${emailField(it.email, 'email')}<button type="submit">${t.sendCode}</button></form>`
  const here =
    it.signedInAs !== null &&
    html`<p>${t.already(it.signedInAs)}</p>${buttonForm(stepPath('done', way), t.goOn, { quiet: true })}`
  return pageOf(way, it.from, {
    title: t.title,
    scripts: [passkey],
    body: card(alert(it.problem), paragraph(t.how), code, others(it), here),
  })
}

function others({ methods, way, email }: SignInShown): Markup | null {
  const has = (kind: SignInMethod['kind']) => methods.some((m) => m.kind === kind)
  const external = way.application ? [] : methods.flatMap((m) => (m.kind === 'issuer' ? [m] : []))
  const back = new URLSearchParams({
    ...(way.popup ? {} : { return: way.back }),
    ...(way.hint === '' ? {} : { login_hint: way.hint }),
  })
  if (!has('password') && !has('passkey') && external.length === 0) return null
  return html`<details><summary>${t.others}</summary>${external.map(
    (m) =>
      html`<p><a class="button quiet" href="/sign-in/external/${m.id}?${back.toString()}">${t.with(m.name)}</a></p>`,
  )}${
    has('passkey') &&
    html`<form method="post" action="${stepPath('done', way)}" data-passkey hidden><p class="bad" role="alert" hidden>${t.passkeyFailed}</p><button type="submit" class="quiet">${t.passkey}</button></form>`
  }${
    has('password') &&
    html`<form method="post" action="${stepPath('password', way)}">${emailField(email, 'password-email')}<label for="password">${t.password}</label><input id="password" name="password" type="password" autocomplete="current-password" required maxlength="128"><button type="submit" class="quiet">${t.withPassword}</button></form>`
  }</details>`
}

/** The second step: the same words whether or not anybody has this address. */
export const codePage = (way: SignInWay, from: string | null, email: string, problem: string | null): Page =>
  pageOf(way, from, {
    title: t.codeTitle,
    body: card(
      alert(problem),
      paragraph(t.codeSent(email)),
      html`<form method="post" action="${stepPath('verify', way)}"><input type="hidden" name="email" value="${email}"><label for="code">${t.code}</label><input id="code" class="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="20"><button type="submit">${t.title}</button></form>`,
      buttonForm(stepPath('code', way), t.again, { fields: { email }, quiet: true }),
      html`<p><a href="/sign-in${way.query === '' ? '' : `?${way.query}`}">${t.otherAddress}</a></p>`,
    ),
  })

/** After signing in, for who has an authenticator: what a role allows waits for it, a course does not. */
export const factorPage = (way: SignInWay, problem: string | null): Page =>
  pageOf(way, null, {
    title: t.factorTitle,
    body: card(
      alert(problem),
      paragraph(t.factorHow),
      html`<form method="post" action="${stepPath('second-factor', way)}"><label for="factor">${t.factor}</label><input id="factor" class="code" name="code" autocomplete="one-time-code" required maxlength="20"><button type="submit">${t.confirm}</button></form>`,
      buttonForm(stepPath('done', way), t.later, { quiet: true }),
    ),
  })
