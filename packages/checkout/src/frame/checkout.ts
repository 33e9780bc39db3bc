import { fill, words } from '#language.ts'
import type { Config, Status } from '#protocol.ts'
import { App, loading, startApp } from './app.ts'
import { readSession, writeSession } from './memory.ts'
import { definePay } from './pay.ts'
import { Purchase, type Step } from './purchase.ts'
import { defineSeats } from './seats.ts'
import type { SignedIn } from './sign-in.ts'
import { alertBox, button, heading, html, nothing, type TemplateResult } from './view.ts'

/** Paying, claiming, entering: the elements checkout, payment-form and payment-status. */
class CheckoutApp extends App {
  #purchase: Purchase | null = null
  #step: Step = { at: 'starting' }

  protected override get busy(): boolean {
    return this.#purchase?.busy === true
  }

  protected override get orderRef(): string | null {
    return this.#purchase?.orderRef ?? null
  }

  protected override begin(config: Config): void {
    this.#purchase?.stop()
    // A page may change its mind while the hub still answers the old wish; that answer is for nobody then.
    const isCurrent = () => this.#purchase === purchase
    const purchase = new Purchase({
      organization: this.organization,
      element: this.element,
      config,
      show: (step) => isCurrent() && this.#show(step),
      tell: (status, orderRef, event) => isCurrent() && this.tell(status, orderRef, event),
    })
    this.#purchase = purchase
    void purchase.start()
  }

  protected override entered({ session }: SignedIn): void {
    void this.#purchase?.claim(session)
  }

  #show(step: Step): void {
    const before = this.#step
    this.#step = step
    // At first the page around us has the focus, and keeps it.
    if (before.at === 'starting' || before.at === step.at) this.redraw()
    else this.focusHeading()
  }

  protected override view(): TemplateResult {
    const step = this.#step
    const purchase = this.#purchase
    switch (step.at) {
      case 'starting':
        return loading()
      case 'gift':
        return step.view(html, words, (gift) => void purchase?.order(gift))
      case 'pay':
        return html`<bursar-pay .order=${step.order} .email=${step.email} .promotionCode=${step.promotionCode}
          .taken=${(email: string) => void purchase?.taken(email)} .told=${(status: Status) => purchase?.paying(status)}></bursar-pay>`
      case 'told':
        return html`${heading(step.title)}<p role="status" class=${step.busy ? 'busy' : ''}>${step.text}</p>`
      case 'problem':
        return html`${heading(step.title)}${alertBox(step.text)}
          ${step.again === null ? nothing : button(step.label, step.again, 'main')}`
      case 'sign_in':
        return step.email === null
          ? this.signIn('', words.t_statusTitle)
          : this.signIn(step.email, words.t_lastStepTitle, words.t_lastStep, step.email !== '')
      case 'differs':
        return this.#differs(step.paid, step.signed)
      case 'seats':
        return html`<bursar-seats .organization=${this.organization} .session=${step.session} .seats=${step.seats}></bursar-seats>`
    }
  }

  #differs(paid: string, signed: string): TemplateResult {
    const session = readSession(this.organization)
    const yes = () => void (session && this.#purchase?.claim(session, true))
    const no = () => {
      writeSession(this.organization, null)
      this.#show({ at: 'sign_in', email: '' })
    }
    return html`${heading(words.t_differsTitle)}<p>${fill(words.t_differs, { paid, signed })}</p>
      ${button(fill(words.t_differsYes, { signed }), yes, 'main')}${button(words.t_differsNo, no, 'plain')}`
  }
}

definePay()
defineSeats()
void startApp(CheckoutApp)
