import './core.ts'
import { learn, words } from '#language.ts'
import { englishAfter } from '#texts/after.ts'
import { ask, type Onboarded, type OrderStatus, type Refused } from './api.ts'
import { poll } from './browser.ts'
import { forgetCart, readSession, type Session, writeSession } from './memory.ts'
import { defineSeats, overall } from './seats.ts'
import { defineSignIn, signInForm } from './sign-in.ts'
import type { Bought } from './steps.ts'
import { heading, html } from './view.ts'

learn(englishAfter)
defineSignIn()
defineSeats()

/** A purchase from "the provider has taken it" to the seat: the payment is awaited, the buyer proves who they are. */
export class Afterwards {
  readonly #purchase: Bought
  #attempt = 0

  constructor(purchase: Bought) {
    this.#purchase = purchase
  }

  #told(title: string, text: string, busy = false): void {
    this.#purchase.deps.show({
      at: 'told',
      view: () => html`${heading(title)}<p role="status" class=${busy ? 'busy' : ''}>${text}</p>`,
    })
  }

  /** Asks until the payment is decided, one way or the other. */
  async look(): Promise<void> {
    const { signal } = this.#purchase
    const attempt = ++this.#attempt
    if (this.#purchase.busy) this.#told(words.t_checkingTitle, words.t_checking, true)
    await poll(async () => {
      const answer = await this.#purchase.status()
      if (attempt !== this.#attempt || signal.aborted) return true
      if (answer.ok) return this.#decide(answer.value)
      // A moment without a line, or too often: the payment does not care, so we go on asking.
      if (answer.code === 'offline' || answer.code === 'rate_limited' || answer.code === 'internal') return false
      this.#unknown(answer)
      return true
    }, signal)
  }

  #unknown({ code, message }: Refused): void {
    if (readSession(this.#purchase.deps.organization) === null) {
      this.#signIn(null)
      return
    }
    const text = code === 'not_found' ? words.t_orderUnknown : message
    this.#purchase.problem(words.t_statusTitle, text, null, 'failed')
  }

  #decide({ payment }: OrderStatus): boolean {
    const purchase = this.#purchase
    const again = () => void purchase.again()
    if (payment !== 'pending' && payment !== 'processing' && purchase.order !== null) forgetCart(purchase.order.cart)
    switch (payment) {
      case 'pending':
        this.#told(words.t_checkingTitle, words.t_checking, true)
        return false
      case 'processing':
        purchase.tell('processing', 'paymentProcessing')
        this.#told(words.t_processingTitle, words.t_processing)
        return false
      case 'failed':
        purchase.problem(words.t_paymentFailedTitle, words.t_paymentFailed, again, 'failed', 'paymentError')
        return true
      case 'expired':
        purchase.problem(words.t_payTitle, words.t_expired, again, 'expired', 'paymentError')
        return true
      case 'refunded':
        purchase.tell('closed')
        this.#told(words.t_refundedTitle, words.t_refunded)
        return true
      case 'paid':
        this.#paid()
        return true
    }
  }

  /** Another tab has paid this cart, and only that one can show whose it is; the receipt says the rest. */
  toldOnly(state: string): void {
    const { order } = this.#purchase
    const underway = state === 'awaiting_funds'
    // Said once; whoever comes again may buy again.
    if (!underway && order !== null) forgetCart(order.cart)
    if (underway) this.#told(words.t_processingTitle, words.t_processing)
    else this.#told(words.t_paidTitle, words.t_paid)
  }

  #paid(): void {
    const purchase = this.#purchase
    const { element, organization } = purchase.deps
    const session = readSession(organization)
    purchase.tell('paid', 'paymentSuccess')
    if (purchase.order?.gift) this.#told(words.t_giftPaidTitle, words.t_giftPaid)
    else if (element === 'payment-form') this.#told(words.t_paidTitle, words.t_paid)
    else if (session !== null) void this.#claim(session)
    else {
      purchase.tell('signing_in')
      // Without a purchase of this browser's own nobody is addressed as its buyer.
      this.#signIn(purchase.order === null ? null : purchase.order.email)
    }
    // Done with money; new wishes may come where nothing more is claimed here.
    if (purchase.order?.gift || element === 'payment-form') purchase.busy = false
  }

  /** The address is a hint; null asks without a purchase in hand. */
  #signIn(email: string | null): void {
    const { show, tell, organization } = this.#purchase.deps
    const form = {
      ...{ organization, email: email ?? '', eager: Boolean(email) },
      ...(email === null
        ? { headline: words.t_statusTitle, lead: '' }
        : { headline: words.t_lastStepTitle, lead: words.t_lastStep }),
    }
    const { orderRef } = this.#purchase
    const heard = (...[status, event]: Parameters<Bought['tell']>) => tell(status, orderRef, event)
    show({ at: 'sign_in', view: () => signInForm(form, heard, (session) => void this.#claim(session)) })
  }

  /** The purchase becomes this person's, and the seat is prepared while they look. */
  async #claim(session: Session, confirmEmail = false): Promise<void> {
    const purchase = this.#purchase
    const { organization } = purchase.deps
    purchase.tell('preparing')
    this.#told(words.t_settingUpTitle, words.t_settingUp, true)
    const body = { orderRef: purchase.orderRef, ...purchase.proof(), ...(confirmEmail ? { confirmEmail } : {}) }
    const answer = await ask<Onboarded>('/api/onboard-learner', body, { organization, session })
    if (!answer.ok) return this.#claimRefused(answer, session, confirmEmail)
    // The secret is spent now; the session alone shows the order from here on.
    purchase.amend({ claimSecret: null })
    await this.#follow(session)
  }

  async #claimRefused(answer: Refused, session: Session, confirmEmail: boolean): Promise<void> {
    const purchase = this.#purchase
    const { organization } = purchase.deps
    const again = () => void this.#claim(session, confirmEmail)
    const signInAgain = (email: string) => {
      writeSession(organization, null)
      this.#signIn(email)
    }
    switch (answer.code) {
      case 'unauthenticated':
      case 'email_unproven':
        return signInAgain(purchase.order?.email ?? '')
      case 'email_differs': {
        const { paidEmail = '', signedInEmail = session.email } = answer.details as Readonly<Record<string, string>>
        try {
          const { differsView } = await import('./differs.ts')
          const yes = () => void this.#claim(session, true)
          const view = () => differsView({ paid: paidEmail, signed: signedInEmail, yes, no: () => signInAgain('') })
          return purchase.deps.show({ at: 'differs', view })
        } catch {
          // The file did not arrive; asking again may bring it.
          return purchase.problem(words.t_refusedTitle, words.t_offline, again, 'failed')
        }
      }
      case 'claimed_already':
        return purchase.problem(words.t_claimedTitle, words.t_claimed, null, 'failed')
      default:
        purchase.problem(words.t_refusedTitle, answer.message, again, 'failed')
    }
  }

  /** Live until every seat is open or closed. */
  async #follow(session: Session): Promise<void> {
    const purchase = this.#purchase
    const { organization } = purchase.deps
    await poll(async () => {
      const answer = await purchase.status()
      if (!answer.ok) return false
      const { seats } = answer.value
      const state = overall(seats)
      const view = () =>
        html`<bursar-seats .organization=${organization} .session=${session} .seats=${seats}></bursar-seats>`
      purchase.deps.show({ at: 'seats', view })
      purchase.tell(state)
      if (state === 'open' || state === 'closed') purchase.busy = false
      return seats.length > 0 && seats.every((seat) => seat.state === 'open' || seat.state === 'closed')
    }, purchase.signal)
  }
}
