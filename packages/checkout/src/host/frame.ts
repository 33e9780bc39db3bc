import { type Detail, type ElementName, type EventName, readFromFrame } from '#protocol.ts'
import { adoptProperties, BursarBase, sheetOf } from './base.ts'
import { themeFor } from './theme.ts'

const css = `:host{display:block}:host([hidden]){display:none}iframe{display:block;width:100%;height:9rem;border:0;color-scheme:normal}p{font:inherit;margin:0}`

const sandbox =
  'allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation'

// A frame that said nothing for so long was refused by the hub or never arrived.
const silenceMs = 15_000

const nonceOf = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/**
 * One element of ours on a stranger's page: an iframe of the hub's origin, and the few words it says. Money and
 * identity stay inside, because this page's own scripts can read everything that lives here.
 */
export abstract class BursarFrame extends BursarBase {
  static readonly element: ElementName
  #frame: HTMLIFrameElement | null = null
  #nonce = ''
  #greeting = false
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
  }

  disconnectedCallback(): void {
    removeEventListener('message', this.#hear)
    this.#close()
  }

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

  #element(): ElementName {
    return (this.constructor as typeof BursarFrame).element
  }

  #open(): void {
    this.#close()
    const organization = this.read('organization')
    if (this.hubOrigin === '' || organization === '') return
    const frame = document.createElement('iframe')
    const lang = this.read('lang') || document.documentElement.lang
    this.#nonce = nonceOf()
    const path = `/frame/${encodeURIComponent(organization)}/${this.#element()}`
    // After the hash, so that neither server nor log sees it.
    frame.src = `${this.hubOrigin}${path}${lang === '' ? '' : `?lang=${encodeURIComponent(lang)}`}#${this.#nonce}`
    // "checkout", "payment status": a screen reader needs a name, and the page may give a better one.
    frame.title = this.read('label') || this.#element().replace('-', ' ')
    frame.setAttribute('sandbox', sandbox)
    frame.allow = 'payment; publickey-credentials-get'
    frame.referrerPolicy = 'origin'
    frame.loading = 'eager'
    frame.part.add('frame')
    frame.addEventListener('load', () => this.#greet())
    this.#frame = frame
    this.#root?.replaceChildren(frame)
    this.#silence = setTimeout(() => this.#tell({ status: 'blocked', orderRef: null }, null), silenceMs)
  }

  #close(): void {
    clearTimeout(this.#silence)
    this.#frame?.remove()
    this.#frame = null
  }

  #greet(): void {
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
    this.#frame?.contentWindow?.postMessage(
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
