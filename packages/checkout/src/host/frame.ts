import { chance } from '#chance.ts'
import { type Detail, type ElementName, type EventName, readFromFrame } from '#protocol.ts'
import { adoptProperties, BursarBase, sheetOf } from './base.ts'
import { themeFor } from './theme.ts'

const css = `:host{display:block}:host([hidden]){display:none}iframe{display:block;width:100%;height:9rem;border:0;color-scheme:normal}p{font:inherit;margin:0}`

const sandbox =
  'allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation'

// So near, an element is about to be seen.
const nearPx = 200

// A frame that said nothing for so long was refused by the hub or never arrived.
const silenceMs = 15_000

/**
 * One element of ours on a stranger's page: an iframe of the hub's origin, and the few words it says. Money and
 * identity stay inside, because this page's own scripts can read everything that lives here.
 */
export abstract class BursarFrame extends BursarBase {
  static readonly element: ElementName
  /** Whether showing it begins an order. */
  static readonly orders: boolean = false
  #frame: HTMLIFrameElement | null = null
  #nonce = ''
  #greeting = false
  /** Somebody sees this element or is about to. */
  #near = false
  #loaded = false
  #silence: ReturnType<typeof setTimeout> | undefined
  #root: ShadowRoot | null = null

  connectedCallback(): void {
    adoptProperties(this)
    if (this.#root === null) {
      this.#root = this.attachShadow({ mode: 'open' })
      this.#root.adoptedStyleSheets = sheetOf(css)
    }
    addEventListener('message', this.#hear)
    this.#open()
    if (!this.#near) this.#watch.observe(this)
  }

  disconnectedCallback(): void {
    removeEventListener('message', this.#hear)
    this.#watch.disconnect()
    this.#close()
  }

  /** An order is begun when its form is about to be seen, and not for each visit of a page that has one far below. */
  readonly #watch = new IntersectionObserver(
    (seen) => {
      if (!seen.some((it) => it.isIntersecting)) return
      this.#watch.disconnect()
      this.#near = true
      this.#greet()
    },
    { rootMargin: `${nearPx}px` },
  )

  /** Being here lets a page move us without the frame starting again, where the browser can do that. */
  connectedMoveCallback(): void {}

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (this.#root === null || !this.isConnected || before === after) return
    if (['hub', 'organization', 'lang'].includes(name)) this.#open()
    else this.#greetSoon()
  }

  /** Several attributes change together; one greeting tells all of them. */
  #greetSoon(): void {
    if (this.#greeting) return
    this.#greeting = true
    queueMicrotask(() => {
      this.#greeting = false
      this.#greet()
    })
  }

  #kind(): typeof BursarFrame {
    return this.constructor as typeof BursarFrame
  }

  #open(): void {
    this.#close()
    const organization = this.read('organization')
    if (this.hubOrigin === '' || organization === '') return
    const frame = document.createElement('iframe')
    const { element } = this.#kind()
    const lang = this.read('lang') || document.documentElement.lang
    this.#nonce = chance()
    const path = `/frame/${encodeURIComponent(organization)}/${element}`
    // After the hash, so that neither server nor log sees it.
    frame.src = `${this.hubOrigin}${path}${lang === '' ? '' : `?lang=${encodeURIComponent(lang)}`}#${this.#nonce}`
    // "checkout", "payment status": a screen reader needs a name, and the page may give a better one.
    frame.title = this.read('label') || element.replace('-', ' ')
    frame.setAttribute('sandbox', sandbox)
    frame.allow = 'payment; publickey-credentials-get'
    frame.referrerPolicy = 'origin'
    frame.loading = 'eager'
    frame.part.add('frame')
    frame.addEventListener('load', () => {
      this.#loaded = true
      this.#greet()
    })
    this.#frame = frame
    this.#root?.replaceChildren(frame)
    this.#greet()
  }

  #close(): void {
    clearTimeout(this.#silence)
    this.#silence = undefined
    this.#loaded = false
    this.#frame?.remove()
    this.#frame = null
  }

  #greet(): void {
    if (this.#frame === null || (this.#kind().orders && !this.#near)) return
    this.#silence ??= setTimeout(() => this.#tell({ status: 'blocked', orderRef: null }, null), silenceMs)
    if (!this.#loaded) return
    // The frame looks at every value before it believes it; here nothing is worth checking.
    const config = {
      prices: this.read('prices'),
      mode: this.read('mode'),
      email: this.read('email'),
      orderRef: this.read('order-ref'),
      promotionCode: this.read('promotion-code'),
      returnUrl: this.read('return-url'),
      gift: this.hasAttribute('gift'),
    }
    // A refused frame has no origin of its own, so this reaches nobody then.
    this.#frame.contentWindow?.postMessage(
      { bursar: 1, nonce: this.#nonce, kind: 'hello', config, theme: themeFor(this) },
      this.hubOrigin,
    )
  }

  readonly #hear = (event: MessageEvent): void => {
    if (this.#frame === null || event.source !== this.#frame.contentWindow || event.origin !== this.hubOrigin) return
    const message = readFromFrame(event.data, this.#nonce)
    if (message === null) return
    clearTimeout(this.#silence)
    if (message.kind === 'height') this.#frame.style.height = `${message.px}px`
    if (message.kind === 'status') this.#tell({ status: message.status, orderRef: message.orderRef }, message.event)
  }

  #tell(detail: Detail, event: EventName | null): void {
    for (const name of event === null ? ['statusChange'] : [event, 'statusChange'])
      this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }))
  }
}
