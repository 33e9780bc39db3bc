import { fill, learn, words } from '#language.ts'
import type { Config } from '#protocol.ts'
import { englishAccount } from '#texts/account.ts'
import { ask } from './api.ts'
import { App, loading, startApp } from './app.ts'
import { isSessionKey, readSession, writeSession } from './memory.ts'
import { defineSignIn, signInForm } from './sign-in.ts'
import { button, heading, html, type TemplateResult } from './view.ts'

/** Signing in, who is signed in, and signing out: three elements, one look at the same session. */
class AccountApp extends App {
  #email: string | null = null

  protected override readonly busy = false

  override connectedCallback(): void {
    super.connectedCallback()
    // Another frame of ours in this tab signs in or out.
    addEventListener('storage', ({ key }) => isSessionKey(key) && this.#look())
  }

  protected override begin(config: Config): void {
    this.#email = config.email
    this.#look()
  }

  #look(): void {
    this.tell(readSession(this.organization) === null ? 'signed_out' : 'signed_in', null)
    this.redraw()
  }

  /** Forgotten here at once, and ended at the hub, which matters for copies only. */
  #signOut(): TemplateResult {
    return button(words.t_signOut, () => {
      const { organization } = this
      void ask('/api/sign-out', {}, { organization, session: readSession(organization) })
      writeSession(organization, null)
      this.#look()
    })
  }

  #signIn(email: string): TemplateResult {
    const { organization } = this
    const form = { organization, email, headline: words.t_signInTitle, lead: '', eager: false }
    return signInForm(
      form,
      (status, event) => this.tell(status, null, event),
      () => this.focusHeading(),
    )
  }

  /** A menu stands in a page's header, where a whole form would be in the way until somebody wants it. */
  #signedOut(email: string): TemplateResult {
    if (this.element === 'auth-status') return html`<p role="status">${words.t_signedOut}</p>`
    if (this.element === 'login') return this.#signIn(email)
    return html`<details class="menu"><summary>${words.t_signInTitle}</summary>${this.#signIn(email)}</details>`
  }

  protected override view(): TemplateResult {
    if (this.#email === null) return loading()
    const { element } = this
    const session = readSession(this.organization)
    if (session === null) return this.#signedOut(this.#email)
    const who = session.email === '' ? words.t_signedIn : fill(words.t_signedInAs, { email: session.email })
    if (element === 'auth-status') return html`<p role="status">${who}</p>`
    if (element === 'login') return html`${heading(words.t_signedIn)}<p>${who}</p>${this.#signOut()}`
    return html`<details class="menu"><summary>${who}</summary>
      <p><a href="/account" target="_blank" rel="noopener">${words.t_account}</a></p>${this.#signOut()}</details>`
  }
}

learn(englishAccount)
defineSignIn()
void startApp(AccountApp)
