import { speak, words } from '#language.ts'
import { type Config, configOf, type EventName, type Status } from '#protocol.ts'
import { isEmbedded, type Link, meta, openLink } from './link.ts'
import { applyTheme } from './theme.ts'
import { define, html, type TemplateResult, View } from './view.ts'

/**
 * What a frame shows, and what the hub's own pages show: `<bursar-app element="checkout" organization="…" prices="…">`.
 * In a frame the page around says what is wished for; on its own the attributes do.
 */
export abstract class App extends View {
  #link: Link | null = null
  #asked = ''

  get organization(): string {
    return this.getAttribute('organization') ?? meta('organization')
  }

  get element(): string {
    return this.getAttribute('element') ?? meta('element')
  }

  /** Whether new wishes must wait, because money is on its way. */
  protected abstract get busy(): boolean
  protected abstract begin(config: Config): void

  override connectedCallback(): void {
    super.connectedCallback()
    if (this.#link !== null) return
    this.#link = openLink(({ config, theme }) => {
      applyTheme(theme)
      this.#begin(config)
    })
    if (isEmbedded()) return
    const read = (name: string) => this.getAttribute(name) ?? ''
    this.#begin(
      configOf({
        prices: read('prices'),
        mode: read('mode'),
        email: read('email'),
        orderRef: read('order-ref'),
        promotionCode: read('promotion-code'),
        returnUrl: read('return-url'),
        gift: this.hasAttribute('gift'),
      }),
    )
  }

  /** The same wishes twice change nothing, and nothing interrupts a payment. */
  #begin(config: Config): void {
    const asked = JSON.stringify(config)
    if (asked === this.#asked || this.busy) return
    this.#asked = asked
    this.begin(config)
  }

  protected tell(status: Status, orderRef: string | null, event?: EventName): void {
    this.#link?.status(status, orderRef, event)
  }
}

export const loading = (): TemplateResult => html`<p class="busy" role="status">${words.t_loading}</p>`

/** The words come first, so that nobody reads two languages in a row. */
export async function startApp(app: CustomElementConstructor): Promise<void> {
  await speak(document.documentElement.lang)
  define('bursar-app', app)
}
