import { fill, words } from '#language.ts'
import type { Config } from '#protocol.ts'
import { englishAccount } from '#texts.ts'
import { ask } from './api.ts'
import { App, loading, startApp } from './app.ts'
import { readSession, writeSession } from './memory.ts'
import { button, heading, html, type TemplateResult } from './view.ts'

/** Signing in, who is signed in, and signing out: three elements, one look at the same session. */
class AccountApp extends App {
  #email: string | null = null

  protected override readonly busy = false
  protected override readonly orderRef = null

  override connectedCallback(): void {
    super.connectedCallback()
    // Another frame of ours in this tab signs in or out.
    addEventListener('storage', () => this.#look())
  }

  protected override begin(config: Config): void {
    this.#email = config.email
    this.#look()
  }

  protected override entered(): void {
    this.focusHeading()
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

  /** A menu stands in a page's header, where a whole form would be in the way until somebody wants it. */
  #signedOut(email: string): TemplateResult {
    if (this.element === 'auth-status') return html`<p role="status">${words.t_signedOut}</p>`
    if (this.element === 'login') return this.signIn(email, words.t_signInTitle)
    return html`<details class="menu"><summary>${words.t_signInTitle}</summary>${this.signIn(email, words.t_signInTitle)}</details>`
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

void startApp(AccountApp, englishAccount)
