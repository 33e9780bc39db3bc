import { fill, learn, words } from '#language.ts'
import type { EventName, Status } from '#protocol.ts'
import { englishSignIn } from '#texts/sign-in.ts'
import { ask, type Refused, type Verified } from './api.ts'
import { sleep } from './browser.ts'
import { isEmbedded } from './link.ts'
import { readSent, type Session, writeSent, writeSession } from './memory.ts'
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
import type { Way } from './ways.ts'

learn(englishSignIn)

const resendSeconds = 30
const codePattern = /^\d{6}$/

/** Whoever signed in, and whether that made them known here. */
type SignedIn = { readonly session: Session; readonly isNew: boolean }

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

  #ways: readonly Way[] = []
  #other: typeof import('./ways.ts') | null = null
  #sentTo = ''
  #busy = false
  #problem = ''
  #wait = 0

  override connectedCallback(): void {
    super.connectedCallback()
    queueMicrotask(() => {
      void this.#askWays()
      if (this.eager && this.email !== '') this.#sendOnce()
    })
  }

  /** Not again after a reload: the code that is on its way is still good. */
  #sendOnce(): void {
    if (readSent(this.organization) !== this.email) return void this.#sendCode(this.email)
    this.#sentTo = this.email
    this.redraw()
  }

  async #askWays(): Promise<void> {
    const { organization } = this
    const path = `/api/sign-in/methods?organization=${encodeURIComponent(organization)}`
    const answer = await ask<{ methods: readonly Way[] }>(path, null, { organization })
    // Without the list the code still works, so there is nothing to tell.
    if (answer.ok) {
      const { methods } = answer.value
      const own = methods.some(({ kind }) => kind === 'password' || kind === 'passkey')
      this.#ways = [...methods.filter(({ kind }) => kind === 'issuer'), ...(own ? [{ kind: 'own' }] : [])]
    }
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

  /** Loaded when the list is opened, so that a press still counts as one when a window opens. */
  async #showWays(): Promise<void> {
    try {
      this.#other ??= await import('./ways.ts')
    } catch {
      // The file did not arrive; opening the list again may bring it.
      this.#problem = words.t_offline
    }
    this.redraw()
  }

  async #enterBy(way: Way): Promise<void> {
    const result = await this.#other?.enterBy(way, this.organization, this.email)
    if (!result) return
    if (!('problem' in result)) return this.#enter(result, '')
    this.#problem = result.problem
    this.refused()
    this.redraw()
  }

  protected override view(): TemplateResult {
    return html`${heading(this.headline)}
      <p>${this.lead || words.t_signIn}</p>
      ${this.#sentTo === '' ? this.#addressForm() : this.#codeForm()}
      ${
        this.#ways.length === 0
          ? nothing
          : html`<details @toggle=${() => void this.#showWays()}><summary>${words.t_otherWays}</summary>
        ${this.#other && this.#ways.map((way) => button(this.#other?.textOf(way) ?? '', () => void this.#enterBy(way)))}</details>`
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

export type SignInForm = {
  readonly organization: string
  readonly email: string
  readonly headline: string
  readonly lead: string
  readonly eager: boolean
}

/** The form, and what everybody who shows it does: the session is kept, and the page around us hears of it. */
export const signInForm = (
  form: SignInForm,
  tell: (status: Status, event: EventName) => void,
  entered: (session: Session) => void,
): TemplateResult =>
  html`<bursar-sign-in .organization=${form.organization} .email=${form.email} .headline=${form.headline} .lead=${form.lead} .eager=${form.eager}
    .done=${({ session, isNew }: SignedIn) => {
      writeSession(form.organization, session)
      tell('signed_in', isNew ? 'signupSuccess' : 'loginSuccess')
      entered(session)
    }}
    .refused=${() => tell('refused', 'loginError')}></bursar-sign-in>`

export const defineSignIn = (): void => define('bursar-sign-in', BursarSignIn)
