import { fill, words } from '#language.ts'
import { ask, type Refused } from './api.ts'
import { sleep } from './browser.ts'
import { isEmbedded } from './link.ts'
import { readSent, type Session, writeSent } from './memory.ts'
import {
  alertBox,
  button,
  define,
  fieldOf,
  heading,
  html,
  nothing,
  onSubmit,
  submitButton,
  type TemplateResult,
  View,
} from './view.ts'

type Method = {
  readonly kind: 'code' | 'passkey' | 'password' | 'issuer'
  readonly id?: string
  readonly name?: string
}
type Verified = {
  readonly token?: string
  readonly expiresAt: string | number
  readonly isNew?: boolean
  readonly email?: string
}

const resendSeconds = 30
const codePattern = /^\d{6}$/

/** Whoever signed in, and whether that made them known here. */
export type SignedIn = { readonly session: Session; readonly isNew: boolean }

const methodText = ({ kind, name = '' }: Method): string =>
  kind === 'issuer' ? fill(words.t_issuer, { name }) : kind === 'passkey' ? words.t_passkey : words.t_password

/** A code to the mailbox, or another way in a window of the hub's own. Knows nothing of any one provider. */
export class BursarSignIn extends View {
  organization = ''
  /** A hint that fills the field, never a proof. */
  email = ''
  headline = ''
  lead = ''
  /** Send the code at once: the buyer typed this address a minute ago. */
  eager = false
  done: (signedIn: SignedIn) => void = () => {}
  refused: () => void = () => {}

  #methods: readonly Method[] = []
  #sentTo = ''
  #busy = false
  #problem = ''
  #wait = 0

  override connectedCallback(): void {
    super.connectedCallback()
    queueMicrotask(() => {
      void this.#askMethods()
      if (this.eager && this.email !== '') this.#sendOnce()
    })
  }

  /** Not again after a reload: the code that is on its way is still good. */
  #sendOnce(): void {
    if (readSent(this.organization) !== this.email) return void this.#sendCode(this.email)
    this.#sentTo = this.email
    this.redraw()
  }

  async #askMethods(): Promise<void> {
    const { organization } = this
    const path = `/api/sign-in/methods?organization=${encodeURIComponent(organization)}`
    const answer = await ask<{ methods: readonly Method[] }>(path, null, { organization })
    // Passwords and passkeys belong into a window with an address bar, so a frame does not offer them. Without the list
    // the code still works, so there is nothing to tell.
    const shown = (kind: Method['kind']) => kind === 'issuer' || (kind !== 'code' && !isEmbedded())
    if (answer.ok) this.#methods = answer.value.methods.filter(({ kind }) => shown(kind))
    this.redraw()
  }

  async #sendCode(email: string): Promise<void> {
    if (this.#busy || this.#wait > 0) return
    this.#busy = true
    this.#problem = ''
    this.redraw()
    const { organization } = this
    const answer = await ask('/api/sign-in/code', { organization, email }, { organization })
    this.#busy = false
    this.email = email
    if (!answer.ok) {
      this.#problem = answer.message
      return this.redraw()
    }
    const first = this.#sentTo === ''
    this.#sentTo = email
    writeSent(organization, email)
    this.redraw()
    // A press moved the person here; arriving by itself must not take the focus from where they are.
    if (first && this.querySelector('form')?.contains(document.activeElement))
      setTimeout(() => this.querySelector('input')?.focus())
    await this.#countDown()
  }

  async #countDown(): Promise<void> {
    for (this.#wait = resendSeconds; this.#wait > 0 && this.isConnected; this.#wait--) {
      this.redraw()
      await sleep(1_000)
    }
    this.redraw()
  }

  async #verify(typed: string): Promise<void> {
    const code = typed.replace(/\D/g, '')
    if (this.#busy || !codePattern.test(code)) return
    this.#busy = true
    this.#problem = ''
    this.redraw()
    const { organization } = this
    const email = this.#sentTo
    const transport = isEmbedded() ? 'token' : 'cookie'
    const answer = await ask<Verified>(
      '/api/sign-in/verify',
      { organization, email, code, transport },
      { organization },
    )
    this.#busy = false
    if (answer.ok) return this.#enter(answer.value, email)
    this.#problem = wrongCode(answer)
    this.refused()
    this.redraw()
    const field = this.querySelector<HTMLInputElement>('.code')
    field?.select()
  }

  #enter(value: Verified, email: string): void {
    writeSent(this.organization, null)
    const session = {
      token: value.token ?? null,
      email: value.email ?? email,
      expiresAt: Number(new Date(value.expiresAt)),
    }
    this.done({ session, isNew: value.isNew === true })
  }

  #popUps() {
    return import('./popup.ts')
  }

  async #other({ kind, id = '' }: Method): Promise<void> {
    if (kind !== 'issuer') {
      location.assign(`/sign-in?return=${encodeURIComponent(location.pathname + location.search)}`)
      return
    }
    // Loaded when the list was opened, so that the press still counts as one when the window opens.
    const { popUp } = await this.#popUps()
    const result = await popUp(id, this.email)
    if (result.kind === 'closed') return
    if (result.kind === 'code') {
      const transport = isEmbedded() ? 'token' : 'cookie'
      const { organization } = this
      const answer = await ask<Verified>('/api/sign-in/exchange', { code: result.code, transport }, { organization })
      if (answer.ok) {
        this.#enter(answer.value, '')
        return
      }
    }
    this.#problem = result.kind === 'blocked' ? words.t_popupBlocked : words.t_signInFailed
    this.refused()
    this.redraw()
  }

  protected override view(): TemplateResult {
    return html`${heading(this.headline)}
      <p>${this.lead || words.t_signIn}</p>
      ${this.#sentTo === '' ? this.#addressForm() : this.#codeForm()}
      ${
        this.#methods.length === 0
          ? nothing
          : html`<details @toggle=${() => void this.#popUps()}><summary>${words.t_otherWays}</summary>
        ${this.#methods.map((method) => button(methodText(method), () => void this.#other(method)))}</details>`
      }`
  }

  #addressForm(): TemplateResult {
    return html`<form @submit=${onSubmit((form) => void this.#sendCode(fieldOf(form, 'email').value))}>
      <label>${words.t_email}<input name="email" type="email" required autocomplete="email" maxlength="254" .defaultValue=${this.email}></label>
      ${alertBox(this.#problem)}${submitButton(words.t_sendCode, this.#busy)}</form>`
  }

  #codeForm(): TemplateResult {
    const typed = (event: Event) => {
      const field = event.target as HTMLInputElement
      // Six digits are all there is to say; a paste with blanks counts too.
      if (codePattern.test(field.value.replace(/\s/g, ''))) void this.#verify(field.value)
    }
    return html`<p role="status">${fill(words.t_codeSent, { email: this.#sentTo })}</p>
      <form @submit=${onSubmit((form) => void this.#verify(fieldOf(form, 'code').value))}>
        <label>${words.t_code}<input class="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="12" @input=${typed}></label>
        ${alertBox(this.#problem)}${submitButton(words.t_confirm, this.#busy)}</form>
      ${button(this.#wait > 0 ? fill(words.t_resendIn, { s: this.#wait }) : words.t_resend, () => void this.#sendCode(this.#sentTo), 'plain', this.#wait > 0)}
      ${button(words.t_otherAddress, () => this.#change(), 'plain')}`
  }

  #change(): void {
    this.#sentTo = ''
    writeSent(this.organization, null)
    this.#problem = ''
    this.#wait = 0
    this.redraw()
    setTimeout(() => this.querySelector('input')?.focus())
  }
}

/** Whether a code was wrong, used or too old is not told apart, so the sentence names all three. */
function wrongCode({ code, details, message }: Refused): string {
  if (code !== 'code_wrong') return message
  return details.spent === true ? words.t_codeSpent : words.t_codeWrong
}

export const defineSignIn = (): void => define('bursar-sign-in', BursarSignIn)
