import type {
  Stripe,
  StripeCheckoutElementsSdk,
  StripeCheckoutSession,
  StripeEmbeddedCheckout,
} from '@stripe/stripe-js'
import { fill, words } from '#language.ts'
import type { Status } from '#protocol.ts'
import { meta } from './link.ts'
import type { Order } from './memory.ts'
import { appearance } from './theme.ts'
import {
  alertBox,
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

type Loaded = Awaited<ReturnType<StripeCheckoutElementsSdk['loadActions']>>
type Actions = Extract<Loaded, { type: 'success' }>['actions']

/** The payment step. What is shown as a price comes from the provider's session; nothing here computes one. */
export class BursarPay extends View {
  order: Order | null = null
  email = ''
  promotionCode = ''
  /** The provider has taken it; whether it was paid, only the hub can say. */
  taken: (email: string) => void = () => {}
  told: (status: Status) => void = () => {}

  #session: StripeCheckoutSession | null = null
  #actions: Actions | null = null
  #page: StripeEmbeddedCheckout | null = null
  #started = false
  #busy = false
  #problem = ''
  #note = ''

  override connectedCallback(): void {
    super.connectedCallback()
    // After the first drawing, which makes the node to mount into.
    queueMicrotask(() => queueMicrotask(() => void this.#start()))
  }

  disconnectedCallback(): void {
    this.#page?.destroy()
    this.#page = null
  }

  async #start(): Promise<void> {
    const { order } = this
    if (this.#started || order === null) return
    this.#started = true
    try {
      // A file of its own: only those who pay load the provider.
      const { loadProvider } = await import('./provider.ts')
      const stripe = await loadProvider(order.publishableKey ?? '', meta('stripe-js'))
      if (order.mode === 'embedded_page') await this.#mountPage(stripe, order)
      else await this.#mountFields(stripe, order)
      this.told('ready')
    } catch {
      // Blocked, offline or refused: the buyer needs the same sentence, and the hub knows of no payment.
      this.#problem = words.t_providerAway
      this.told('failed')
    }
    this.redraw()
  }

  #node(): HTMLElement {
    const node = this.querySelector<HTMLElement>('.stripe')
    if (node === null) throw new Error('drawn without a place for the payment fields')
    return node
  }

  async #mountPage(stripe: Stripe, order: Order): Promise<void> {
    this.#page = await stripe.createEmbeddedCheckoutPage({
      clientSecret: order.clientSecret ?? '',
      onComplete: () => this.taken(this.email),
    })
    if (this.isConnected) this.#page.mount(this.#node())
  }

  async #mountFields(stripe: Stripe, order: Order): Promise<void> {
    const checkout = stripe.initCheckoutElementsSdk({
      clientSecret: order.clientSecret ?? '',
      elementsOptions: { appearance: appearance() },
    })
    checkout.on('change', (session) => {
      this.#session = session
      this.redraw()
    })
    const loaded = await checkout.loadActions()
    if (loaded.type === 'error') throw new Error(loaded.error.message)
    this.#actions = loaded.actions
    this.#session = loaded.actions.getSession()
    if (!this.isConnected) return
    checkout.createPaymentElement().mount(this.#node())
    if (this.promotionCode !== '') await this.#promote(this.promotionCode)
  }

  async #promote(code: string): Promise<void> {
    const result = await this.#actions?.applyPromotionCode(code)
    this.#problem = result?.type === 'error' ? result.error.message : ''
    this.#note = result?.type === 'success' ? words.t_applied : ''
    if (result?.type === 'success') this.#session = result.session
    this.redraw()
  }

  async #pay(form: HTMLFormElement): Promise<void> {
    const actions = this.#actions
    if (this.#busy || actions === null) return
    const field = fieldOf(form, 'email')
    if (!field.checkValidity()) {
      this.#problem = words.t_emailWrong
      field.focus()
      return this.redraw()
    }
    this.#busy = true
    this.#problem = ''
    this.email = field.value
    this.redraw()
    this.told('paying')
    const known = this.#session?.email
    const result = await actions
      .confirm({ redirect: 'if_required', ...(known ? {} : { email: field.value }) })
      // A broken connection in the middle: the hub is asked what became of it.
      .catch(() => ({ type: 'success' as const }))
    this.#busy = false
    if (result.type === 'success') return this.taken(field.value)
    this.#problem = fill(words.t_declined, { why: result.error.message })
    this.told('declined')
    this.redraw()
  }

  #summary(session: StripeCheckoutSession): TemplateResult {
    const { total } = session
    const tax = total.taxExclusive.minorUnitsAmount > 0 ? total.taxExclusive : total.taxInclusive
    return html`<dl>
      ${session.lineItems.map((item) => html`<dt>${item.quantity > 1 ? `${item.quantity} × ` : ''}${item.name}</dt><dd>${item.subtotal.amount}</dd>`)}
      ${total.discount.minorUnitsAmount > 0 ? html`<dt>${words.t_discount}</dt><dd>−${total.discount.amount}</dd>` : nothing}
      ${tax.minorUnitsAmount > 0 ? html`<dt>${words.t_tax}</dt><dd>${tax.amount}</dd>` : nothing}
      <dt class="sum">${words.t_total}</dt><dd class="sum">${total.total.amount}</dd></dl>`
  }

  protected override view(): TemplateResult {
    // Room for the bank's question, which opens over the frame and is cut off where the frame ends.
    this.toggleAttribute('busy', this.#busy)
    const session = this.#session
    const page = this.order?.mode === 'embedded_page'
    const email = session?.email ?? null
    return html`${heading(words.t_payTitle)}
      ${session === null ? (page || this.#problem !== '' ? nothing : html`<p class="busy" role="status">${words.t_loading}</p>`) : this.#summary(session)}
      ${session === null ? nothing : this.#promotion()}
      <form novalidate @submit=${onSubmit((form) => void this.#pay(form))}>
        ${page ? nothing : html`<label ?hidden=${session === null}>${words.t_email}<input name="email" type="email" required autocomplete="email" maxlength="254" ?readonly=${email !== null} .defaultValue=${email ?? this.email}></label>`}
        <div class="stripe"></div>
        ${alertBox(this.#problem)}
        ${session === null ? nothing : submitButton(this.#busy ? words.t_paying : fill(words.t_pay, { amount: session.total.total.amount }), this.#busy)}
      </form>`
  }

  #promotion(): TemplateResult {
    return html`<details><summary>${words.t_promotion}</summary>
      <form class="row" @submit=${onSubmit((form) => void this.#promote(fieldOf(form, 'code').value))}>
        <label>${words.t_promotion}<input name="code" autocomplete="off" maxlength="100" required></label><button>${words.t_apply}</button>
      </form></details><p class="note" role="status">${this.#note}</p>`
  }
}

export const definePay = (): void => define('bursar-pay', BursarPay)
