import { words } from '#language.ts'
import type { EventName, Status } from '#protocol.ts'
import type { Afterwards } from './after.ts'
import { type Answer, ask, type OrderStatus, type Refused } from './api.ts'
import { nowMs } from './browser.ts'
import type { GiftInput } from './gift.ts'
import {
  cartKey,
  cartName,
  forgetCart,
  forgetOrder,
  type Order,
  onCartForgotten,
  readOrder,
  readSession,
  writeOrder,
} from './memory.ts'
import type { Bought, PurchaseDeps, Step } from './steps.ts'
import { alertBox, button, heading, html, nothing } from './view.ts'

type Made = Omit<Order, 'email' | 'gift' | 'cart' | 'expiresAt'> & {
  readonly status: string
  readonly expiresAt: string | number | null
}

// Six times longer than a provider's own session lives, so that a reload can still ask what became of it.
const rememberMs = 6 * 24 * 3_600_000

// Orders that are over without a course: whoever asks again wants a new one.
const overStates: readonly string[] = ['expired', 'canceled', 'refunded', 'charged_back']

/**
 * One purchase from price to payment; afterwards `Afterwards` takes over. It believes the hub and nobody else: not the
 * browser, not the provider's script.
 */
export class Purchase implements Bought {
  readonly deps: PurchaseDeps
  order: Order | null = null
  /** Money is on its way or spent, so that nothing may begin anew. */
  busy = false
  readonly #key: string
  readonly #stopped = new AbortController()
  /** The buyer may still pay here. */
  #open = false
  #after: Afterwards | null = null
  #told: Status | null = null

  constructor(deps: PurchaseDeps) {
    this.deps = deps
    const { prices, mode, gift, promotionCode, orderRef } = deps.config
    this.#key = orderRef || [deps.organization, mode, prices.join('+'), gift, promotionCode].join('|')
  }

  get orderRef(): string | null {
    return this.order?.orderRef ?? (this.deps.config.orderRef || null)
  }

  get signal(): AbortSignal {
    return this.#stopped.signal
  }

  stop(): void {
    this.#stopped.abort()
  }

  async start(): Promise<void> {
    const { config, element } = this.deps
    this.order = readOrder(this.#key)
    if (this.order !== null) return this.#resume(this.order)
    if (element === 'payment-status' || config.orderRef !== '') return this.look()
    if (config.prices.length === 0) return this.problem(words.t_payTitle, words.t_noPrices, null, 'failed')
    if (!config.gift) return this.#begin(null)
    const gift = await this.#load(() => import('./gift.ts'))
    if (gift !== null) this.deps.show({ at: 'gift', view: () => gift.giftView((to) => void this.#begin(to)) })
  }

  /** Makes the order. The hub knows it before the provider is asked, and decides what it costs. */
  async #begin(gift: GiftInput | null): Promise<void> {
    const { organization, config } = this.deps
    const body = {
      organization,
      prices: config.prices.map((text) => {
        const [price, quantity] = text.split(':')
        return quantity === undefined ? { price } : { price, quantity: Number(quantity) }
      }),
      mode: config.mode,
      // In our own form the buyer may still change it; the provider would lock what it is told now.
      ...(config.mode === 'elements' || config.email === '' ? {} : { email: config.email }),
      // There the code is applied in the form, where its success can be seen.
      ...(config.mode === 'elements' || config.promotionCode === '' ? {} : { promotionCode: config.promotionCode }),
      ...(gift === null ? {} : { gift }),
      ...(config.returnUrl === '' ? {} : { returnUrl: config.returnUrl }),
    }
    const cart = cartName(body)
    const session = readSession(organization)
    const answer = await ask<Made>('/api/checkout', body, { organization, session, key: cartKey(cart) })
    if (!answer.ok) return this.#refused(answer, cart, gift)
    const { status, ...made } = answer.value
    this.#keep({ ...made, expiresAt: 0, email: config.email, gift: gift !== null, cart })
    onCartForgotten(cart, () => void this.#elsewhere(), this.signal)
    if (made.clientSecret !== null || made.url !== null) return this.#pay(this.order)
    // Nothing to fill in: it is paid or over, in another tab or before an answer got lost.
    if (overStates.includes(status)) return this.again()
    if (made.claimSecret === null && session === null) await (await this.#further())?.toldOnly(status)
    else await this.look()
  }

  #keep(order: Order): void {
    this.order = order
    writeOrder(this.#key, { ...order, expiresAt: nowMs() + rememberMs })
  }

  /** Something about it has changed. */
  amend(change: Partial<Order>): void {
    if (this.order !== null) this.#keep({ ...this.order, ...change })
  }

  #refused(answer: Refused, cart: string, gift: GiftInput | null): void {
    const { code } = answer
    // The hub gives one cart to ten tabs at most; it counts as another one then.
    if (code === 'idempotency_mismatch' || code === 'rate_limited') forgetCart(cart)
    if (code === 'idempotency_mismatch') return void this.#begin(gift)
    const unknown = code === 'price_unknown' || code === 'input_invalid'
    const again = unknown ? null : () => void this.#begin(gift)
    this.problem(words.t_payTitle, unknown ? words.t_notOnSale : answer.message, again, 'failed')
  }

  #pay(order: Order | null): void {
    const { config, show } = this.deps
    if (order === null) return
    this.#open = true
    if (order.mode === 'hosted_page') {
      // The provider's own page needs the whole window, and the window needs a press.
      const go = () => window.open(order.url ?? '', '_top')
      show(problemStep(words.t_payTitle, '', words.t_next, go))
      return
    }
    show({
      at: 'pay',
      view: () => html`<bursar-pay .order=${order} .email=${order.email || config.email} .promotionCode=${config.promotionCode}
        .taken=${(email: string) => void this.#taken(email)} .told=${(status: Status) => this.#paying(status)}></bursar-pay>`,
    })
  }

  #paying(status: Status): void {
    this.busy = status === 'paying'
    this.tell(status, status === 'declined' ? 'paymentError' : undefined)
    // While the buyer types the card.
    if (status === 'ready') fetchAhead()
    if (status === 'declined') void this.#elsewhere()
  }

  /** A refused card, or another tab is done with this cart: it may be paid there. */
  async #elsewhere(): Promise<void> {
    const answer = await this.status()
    if (!this.#open || this.busy || this.signal.aborted || !answer.ok || answer.value.payment !== 'paid') return
    // The other tab has the code's mail on its way already; a second one would make the first worthless.
    this.amend({ email: '' })
    await this.look()
  }

  /** The provider's script says so. From here on the hub is asked. */
  async #taken(email: string): Promise<void> {
    this.busy = true
    this.amend({ email })
    await this.look()
  }

  async #resume(order: Order): Promise<void> {
    onCartForgotten(order.cart, () => void this.#elsewhere(), this.signal)
    fetchAhead()
    const answer = await this.status()
    if (!answer.ok) {
      if (answer.code === 'not_found') return this.again()
      return this.problem(words.t_payTitle, answer.message, () => void this.start(), 'failed')
    }
    const { payment } = answer.value
    if (payment === 'pending' && this.deps.element !== 'payment-status') return this.#pay(order)
    if (payment === 'expired') return this.again()
    await this.look()
    if (payment === 'refunded') forgetOrder(this.#key)
  }

  /** From the beginning, with a new order. */
  async again(): Promise<void> {
    if (this.order !== null) forgetCart(this.order.cart)
    forgetOrder(this.#key)
    this.order = null
    this.busy = false
    await this.start()
  }

  status(): Promise<Answer<OrderStatus>> {
    const { organization } = this.deps
    const body = { organization, orderRef: this.orderRef, ...this.proof() }
    return ask<OrderStatus>('/api/checkout/status', body, { organization, session: readSession(organization) })
  }

  /** The secret of this purchase, while it is good for something. */
  proof(): { readonly claimSecret?: string } {
    const claimSecret = this.order?.claimSecret
    return claimSecret ? { claimSecret } : {}
  }

  async look(): Promise<void> {
    this.#open = false
    await (await this.#further())?.look()
  }

  /** What follows a payment is a file of its own. */
  async #further(): Promise<Afterwards | null> {
    const loaded = await this.#load(() => import('./after.ts'))
    if (loaded !== null) this.#after ??= new loaded.Afterwards(this)
    return this.#after
  }

  async #load<T>(part: () => Promise<T>): Promise<T | null> {
    try {
      return await part()
    } catch {
      // The file did not arrive; asking again may bring it.
      this.problem(words.t_payTitle, words.t_offline, () => void this.start(), 'failed')
      return null
    }
  }

  problem(title: string, text: string, again: (() => void) | null, status: Status, event?: EventName): void {
    this.busy = false
    this.tell(status, event)
    this.deps.show(problemStep(title, text, words.t_again, again))
  }

  /** Each state once: a page that counts successes counts one. */
  tell(status: Status, event?: EventName): void {
    if (status === this.#told && status !== 'declined') return
    this.#told = status
    this.deps.tell(status, this.orderRef, event)
  }
}

/** What follows the payment, before it is needed. */
const fetchAhead = (): void => {
  import('./after.ts').catch(() => {
    // It is asked for again when it is needed, and its absence told then.
  })
}

const problemStep = (title: string, text: string, label: string, go: (() => void) | null): Step => ({
  at: 'problem',
  view: () => html`${heading(title)}${alertBox(text)}${go === null ? nothing : button(label, go, 'main')}`,
})
