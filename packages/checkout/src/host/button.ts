import { adoptProperties, BursarBase, sheetOf } from './base.ts'

const css = `:host{display:inline-block}:host([hidden]){display:none}
button{font:var(--bursar-font,inherit);font-weight:600;min-height:2.75rem;padding:.6rem 1.4rem;border:0;border-radius:var(--bursar-radius,.5rem);background:var(--bursar-accent,#1a4fd0);color:var(--bursar-on-accent,#fff);cursor:pointer}
button:focus-visible{outline:3px solid currentColor;outline-offset:2px;outline-color:CanvasText}button[aria-disabled=true]{opacity:.6;cursor:default}`

// Long enough for the page to change; then a second try is a wish.
const pressedMs = 5_000

/** A real button. Pressing it sends the whole window to the hub, which makes the order and leads to the provider's page. */
export class BursarCheckoutButton extends BursarBase {
  #pressed = false

  connectedCallback(): void {
    adoptProperties(this)
    if (this.shadowRoot === null) this.#draw()
    this.#name()
  }

  #draw(): void {
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true })
    root.adoptedStyleSheets = sheetOf(css)
    const button = document.createElement('button')
    button.type = 'button'
    button.part.add('button')
    button.append(document.createElement('slot'))
    button.addEventListener('click', () => this.#go())
    root.append(button)
  }

  attributeChangedCallback(name: string): void {
    if (name === 'label' && this.shadowRoot !== null) this.#name()
  }

  #name(): void {
    const slot = this.shadowRoot?.querySelector('slot')
    if (slot) slot.textContent = this.read('label') || 'Buy'
  }

  #go(): void {
    const { hubOrigin } = this
    if (this.#pressed || hubOrigin === '') return
    this.#pressed = true
    setTimeout(() => {
      this.#pressed = false
    }, pressedMs)
    const form = document.createElement('form')
    form.method = 'post'
    form.action = `${hubOrigin}/checkout/start`
    form.target = '_top'
    form.hidden = true
    const add = (name: string, value: string) => {
      if (value === '') return
      const input = document.createElement('input')
      input.type = 'hidden'
      input.name = name
      input.value = value
      form.append(input)
    }
    add('organization', this.read('organization'))
    for (const price of this.read('prices').split(/[\s,]+/)) add('price', price)
    add('email', this.read('email'))
    add('promotionCode', this.read('promotion-code'))
    add('returnUrl', this.read('return-url'))
    document.body.append(form)
    form.submit()
    form.remove()
  }
}
