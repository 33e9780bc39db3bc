import type { Config, Status } from '#protocol.ts'
import { say } from '#texts.ts'
import { App, loading, startApp } from './app.ts'
import { readSession, writeSession } from './memory.ts'
import { definePay } from './pay.ts'
import { Purchase, type Step } from './purchase.ts'
import { defineSeats } from './seats.ts'
import type { SignedIn } from './sign-in.ts'
import {
  alertBox,
  button,
  fieldOf,
  heading,
  html,
  nothing,
  onSubmit,
  submitButton,
  type TemplateResult,
} from './view.ts'

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
    this.#purchase = new Purchase({
      organization: this.organization,
      element: this.element,
      config,
      show: (step) => this.#show(step),
      tell: (status, orderRef, event) => this.tell(status, orderRef, event),
    })
    void this.#purchase.start()
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
        return this.#giftForm()
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
          ? this.signIn('', say('statusTitle'))
          : this.signIn(step.email, say('lastStepTitle'), say('lastStep'), step.email !== '')
      case 'differs':
        return this.#differs(step.paid, step.signed)
      case 'seats':
        return html`<bursar-seats .organization=${this.organization} .session=${step.session} .seats=${step.seats}></bursar-seats>`
    }
  }

  #giftForm(): TemplateResult {
    return html`${heading(say('giftTitle'))}
      <form @submit=${onSubmit((form) => {
        const read = (name: string) => fieldOf(form, name).value.trim()
        void this.#purchase?.order({ email: read('email'), name: read('name'), message: read('message') })
      })}>
      <label>${say('giftEmail')}<input name="email" type="email" autocomplete="off" maxlength="254"></label>
      <label>${say('giftName')}<input name="name" autocomplete="off" maxlength="120"></label>
      <label>${say('giftMessage')}<textarea name="message" rows="3" maxlength="500"></textarea></label>
      ${submitButton(say('next'), false)}</form>`
  }

  #differs(paid: string, signed: string): TemplateResult {
    const session = readSession(this.organization)
    const yes = () => void (session && this.#purchase?.claim(session, true))
    const no = () => {
      writeSession(this.organization, null)
      this.#show({ at: 'sign_in', email: '' })
    }
    return html`${heading(say('differsTitle'))}<p>${say('differs', { paid, signed })}</p>
      ${button(say('differsYes', { signed }), yes, 'main')}${button(say('differsNo'), no, 'plain')}`
  }
}

definePay()
defineSeats()
void startApp(CheckoutApp)
