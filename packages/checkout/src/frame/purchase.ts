import { words } from '#language.ts'
import type { Config, EventName, Status } from '#protocol.ts'
import { type Answer, ask, type Onboarded, type OrderStatus, type Refused, type Seat } from './api.ts'
import { nowMs, poll } from './browser.ts'
import type { GiftInput, giftView } from './gift.ts'
import { forgetOrder, type Order, readOrder, readSession, type Session, writeOrder, writeSession } from './memory.ts'
import { overall } from './seats.ts'

export type Step =
  | { readonly at: 'starting' }
  | { readonly at: 'gift'; readonly view: typeof giftView }
  | { readonly at: 'pay'; readonly order: Order; readonly email: string; readonly promotionCode: string }
  | { readonly at: 'told'; readonly title: string; readonly text: string; readonly busy: boolean }
  | {
      readonly at: 'problem'
      readonly title: string
      readonly text: string
      readonly label: string
      readonly again: (() => void) | null
    }
  /** The address is a hint; null asks without a purchase in hand. */
  | { readonly at: 'sign_in'; readonly email: string | null }
  | { readonly at: 'differs'; readonly paid: string; readonly signed: string }
  | { readonly at: 'seats'; readonly seats: readonly Seat[]; readonly session: Session }

export type PurchaseDeps = {
  readonly organization: string
  readonly element: string
  readonly config: Config
  readonly show: (step: Step) => void
  readonly tell: (status: Status, orderRef: string | null, event?: EventName) => void
}

type Made = Omit<Order, 'email' | 'gift' | 'expiresAt'> & { readonly expiresAt: string | number }

// Six times longer than a provider's own session lives, so that a reload can still ask what became of it.
const rememberMs = 6 * 24 * 3_600_000

/** One purchase from price to seat. It believes the hub and nobody else: not the browser, not the provider's script. */
export class Purchase {
  readonly #deps: PurchaseDeps
  readonly #key: string
  readonly #stopped = new AbortController()
  #order: Order | null = null
  #working = false
  #attempt = 0
  #told: Status | null = null

  constructor(deps: PurchaseDeps) {
    this.#deps = deps
    const { prices, mode, gift, promotionCode, orderRef } = deps.config
    this.#key = orderRef || [deps.organization, mode, prices.join('+'), gift, promotionCode].join('|')
  }

  get orderRef(): string | null {
    return this.#order?.orderRef ?? (this.#deps.config.orderRef || null)
  }

  /** Money is on its way or spent, so that nothing may begin anew. */
  get busy(): boolean {
    return this.#working
  }

  stop(): void {
    this.#stopped.abort()
  }

  async start(): Promise<void> {
    const { config, element } = this.#deps
    this.#order = readOrder(this.#key)
    if (this.#order !== null) return this.#resume(this.#order)
    if (element === 'payment-status' || config.orderRef !== '') return this.#look()
    if (config.prices.length === 0) return this.#problem(words.t_payTitle, words.t_noPrices, null, 'failed')
    if (!config.gift) return this.order(null)
    try {
      this.#deps.show({ at: 'gift', view: (await import('./gift.ts')).giftView })
    } catch {
      // The file did not arrive; asking again may bring it.
      this.#problem(words.t_payTitle, words.t_offline, () => void this.start(), 'failed')
    }
  }

  /** Makes the order. The hub knows it before the provider is asked, and decides what it costs. */
  async order(gift: GiftInput | null): Promise<void> {
    const { organization, config } = this.#deps
    const prices = config.prices.map((text) => {
      const [price, quantity] = text.split(':')
      return quantity === undefined ? { price } : { price, quantity: Number(quantity) }
    })
    const given = Object.fromEntries(Object.entries(gift ?? {}).filter(([, value]) => value !== ''))
    const body = {
      organization,
      prices,
      mode: config.mode,
      // In our own form the buyer may still change it; the provider would lock what it is told now.
      ...(config.mode === 'elements' || config.email === '' ? {} : { email: config.email }),
      // There the code is applied in the form, where its success can be seen.
      ...(config.mode === 'elements' || config.promotionCode === '' ? {} : { promotionCode: config.promotionCode }),
      ...(gift === null ? {} : { gift: given }),
      ...(config.returnUrl === '' ? {} : { returnUrl: config.returnUrl }),
    }
    const answer = await ask<Made>('/api/checkout', body, {
      organization,
      session: readSession(organization),
      key: crypto.randomUUID(),
    })
    if (!answer.ok) return this.#orderRefused(answer, gift)
    const expiresAt = Number(new Date(answer.value.expiresAt))
    const order = { ...answer.value, expiresAt, email: config.email, gift: gift !== null }
    this.#keep(order)
    // Nothing to fill in: it costs nothing, or was paid before an answer got lost.
    if (order.clientSecret === null && order.url === null) await this.#look()
    else this.#pay(order)
  }

  #keep(order: Order): void {
    this.#order = order
    writeOrder(this.#key, { ...order, expiresAt: nowMs() + rememberMs })
  }

  #orderRefused(answer: Refused, gift: GiftInput | null): void {
    const unknown = answer.code === 'price_unknown' || answer.code === 'input_invalid'
    this.#problem(
      words.t_payTitle,
      unknown ? words.t_notOnSale : answer.message,
      unknown ? null : () => void this.order(gift),
      'failed',
    )
  }

  #pay(order: Order): void {
    const { config, show } = this.#deps
    if (order.mode !== 'hosted_page') {
      show({ at: 'pay', order, email: order.email || config.email, promotionCode: config.promotionCode })
      return
    }
    // The provider's own page needs the whole window, and the window needs a press.
    const go = () => window.open(order.url ?? '', '_top')
    show({ at: 'problem', title: words.t_payTitle, text: '', label: words.t_next, again: go })
  }

  paying(status: Status): void {
    this.#working = status === 'paying'
    this.#tell(status, status === 'declined' ? 'paymentError' : undefined)
  }

  /** The provider's script says so. From here on the hub is asked. */
  async taken(email: string): Promise<void> {
    this.#working = true
    if (this.#order !== null) this.#keep({ ...this.#order, email })
    this.#deps.show({ at: 'told', title: words.t_checkingTitle, text: words.t_checking, busy: true })
    await this.#look()
  }

  async #resume(order: Order): Promise<void> {
    const answer = await this.#status()
    if (!answer.ok) return answer.code === 'not_found' ? this.#again() : this.#unreachable(answer)
    const { payment } = answer.value
    if (payment === 'pending' && this.#deps.element !== 'payment-status') return this.#pay(order)
    if (payment === 'expired' || payment === 'refunded') forgetOrder(this.#key)
    if (payment === 'expired') return this.#again()
    await this.#look()
  }

  async #again(): Promise<void> {
    forgetOrder(this.#key)
    this.#order = null
    this.#working = false
    await this.start()
  }

  #status(): Promise<Answer<OrderStatus>> {
    const { organization, config } = this.#deps
    const order = this.#order
    const body = {
      organization,
      orderRef: order?.orderRef ?? config.orderRef,
      ...(order?.claimSecret ? { claimSecret: order.claimSecret } : {}),
    }
    return ask<OrderStatus>('/api/checkout/status', body, { organization, session: readSession(organization) })
  }

  /** Asks until the payment is decided, one way or the other. */
  async #look(): Promise<void> {
    const attempt = ++this.#attempt
    await poll(async () => {
      const answer = await this.#status()
      if (attempt !== this.#attempt || this.#stopped.signal.aborted) return true
      if (answer.ok) return this.#decide(answer.value)
      // A moment without a line, or too often: the payment does not care, so we go on asking.
      if (answer.code === 'offline' || answer.code === 'rate_limited' || answer.code === 'internal') return false
      this.#unknown(answer)
      return true
    }, this.#stopped.signal)
  }

  #unknown(answer: Refused): void {
    if (readSession(this.#deps.organization) === null) this.#deps.show({ at: 'sign_in', email: null })
    else
      this.#problem(
        words.t_statusTitle,
        answer.code === 'not_found' ? words.t_orderUnknown : answer.message,
        null,
        'failed',
      )
  }

  #decide(status: OrderStatus): boolean {
    const told = (title: string, text: string, busy = false) => this.#deps.show({ at: 'told', title, text, busy })
    switch (status.payment) {
      case 'pending':
        told(words.t_checkingTitle, words.t_checking, true)
        return false
      case 'processing':
        this.#tell('processing', 'paymentProcessing')
        told(words.t_processingTitle, words.t_processing)
        return false
      case 'failed':
        this.#problem(
          words.t_paymentFailedTitle,
          words.t_paymentFailed,
          () => void this.#again(),
          'failed',
          'paymentError',
        )
        return true
      case 'expired':
        this.#problem(words.t_payTitle, words.t_expired, () => void this.#again(), 'expired', 'paymentError')
        return true
      case 'refunded':
        this.#tell('closed')
        told(words.t_refundedTitle, words.t_refunded)
        return true
      case 'paid':
        this.#paid()
        return true
    }
  }

  #paid(): void {
    const { element, organization, show } = this.#deps
    const session = readSession(organization)
    const told = (title: string, text: string) => show({ at: 'told', title, text, busy: false })
    this.#tell('paid', 'paymentSuccess')
    if (this.#order?.gift) told(words.t_giftPaidTitle, words.t_giftPaid)
    else if (element === 'payment-form') told(words.t_paidTitle, words.t_paid)
    else if (session !== null) void this.claim(session)
    else {
      this.#tell('signing_in')
      // Without a purchase of this browser's own nobody is addressed as its buyer.
      show({ at: 'sign_in', email: this.#order === null ? null : this.#order.email })
    }
    // Done with money; new wishes may come where nothing more is claimed here.
    if (this.#order?.gift || element === 'payment-form') this.#working = false
  }

  /** The purchase becomes this person's, and the seat is prepared while they look. */
  async claim(session: Session, confirmEmail = false): Promise<void> {
    const { organization, show } = this.#deps
    const order = this.#order
    this.#tell('preparing')
    show({ at: 'told', title: words.t_settingUpTitle, text: words.t_settingUp, busy: true })
    const body = {
      orderRef: this.orderRef,
      ...(order?.claimSecret ? { claimSecret: order.claimSecret } : {}),
      ...(confirmEmail ? { confirmEmail } : {}),
    }
    const answer = await ask<Onboarded>('/api/onboard-learner', body, { organization, session })
    if (!answer.ok) {
      this.#claimRefused(answer, session, confirmEmail)
      return
    }
    // The secret is spent now; the session alone shows the order from here on.
    if (order !== null) this.#keep({ ...order, claimSecret: null })
    await this.#follow(session)
  }

  #claimRefused(answer: Refused, session: Session, confirmEmail: boolean): void {
    const { organization, show } = this.#deps
    const { paidEmail, signedInEmail } = answer.details as { paidEmail?: string; signedInEmail?: string }
    const again = () => void this.claim(session, confirmEmail)
    switch (answer.code) {
      case 'unauthenticated':
      case 'email_unproven':
        writeSession(organization, null)
        show({ at: 'sign_in', email: this.#order?.email ?? '' })
        break
      case 'email_differs':
        show({ at: 'differs', paid: paidEmail ?? '', signed: signedInEmail ?? session.email })
        break
      case 'claimed_already':
        this.#problem(words.t_claimedTitle, words.t_claimed, null, 'failed')
        break
      default:
        this.#problem(words.t_refusedTitle, answer.message, again, 'failed')
    }
  }

  /** Live until every seat is open or closed. */
  async #follow(session: Session): Promise<void> {
    await poll(async () => {
      const answer = await this.#status()
      if (!answer.ok) return false
      const { seats } = answer.value
      const state = overall(seats)
      this.#deps.show({ at: 'seats', seats, session })
      this.#tell(state)
      if (state === 'open' || state === 'closed') this.#working = false
      return seats.length > 0 && seats.every((seat) => seat.state === 'open' || seat.state === 'closed')
    }, this.#stopped.signal)
  }

  #unreachable(answer: Refused): void {
    this.#problem(words.t_payTitle, answer.message, () => void this.start(), 'failed')
  }

  #problem(title: string, text: string, again: (() => void) | null, status: Status, event?: EventName): void {
    this.#working = false
    this.#tell(status, event)
    this.#deps.show({ at: 'problem', title, text, label: words.t_again, again })
  }

  /** Each state once: a page that counts successes counts one. */
  #tell(status: Status, event?: EventName): void {
    if (status === this.#told && status !== 'declined') return
    this.#told = status
    this.#deps.tell(status, this.orderRef, event)
  }
}
