import { html, nothing, render, type TemplateResult } from 'lit/html.js'

export { html, nothing, type TemplateResult }

const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement

/**
 * Draws itself into its own children with lit. No shadow root: the provider's fields refuse to live in one, and
 * browsers fill in addresses and codes more reliably without. The frame is the wall around it.
 */
export abstract class View extends Base {
  #due = false

  connectedCallback(): void {
    this.redraw()
  }

  /** Soon, and once, however often it is asked. */
  redraw(): void {
    if (this.#due) return
    this.#due = true
    queueMicrotask(() => {
      this.#due = false
      if (this.isConnected) render(this.view(), this)
    })
  }

  /** After the next drawing: to the heading of the new step, so that a screen reader reads where one is. */
  focusHeading(): void {
    this.redraw()
    setTimeout(() => this.querySelector('h2')?.focus())
  }

  protected abstract view(): TemplateResult
}

export const heading = (text: string): TemplateResult => html`<h2 tabindex="-1">${text}</h2>`
/** Read out at once. */
export const alertBox = (text: string): TemplateResult | typeof nothing =>
  text === '' ? nothing : html`<p class="bad" role="alert">${text}</p>`

/** A button that can be busy: it keeps its focus, which a disabled one would lose. */
export const button = (text: string, press: () => void, kind = '', busy = false): TemplateResult =>
  html`<button type="button" class=${kind} aria-disabled=${busy} @click=${() => busy || press()}>${text}</button>`

export const submitButton = (text: string, busy: boolean): TemplateResult =>
  html`<button class="main" aria-disabled=${busy}>${text}</button>`

/** A form's own submit, without the browser's. */
export const onSubmit = (work: (form: HTMLFormElement) => void) => (event: Event) => {
  event.preventDefault()
  work(event.currentTarget as HTMLFormElement)
}

export const fieldOf = (form: HTMLFormElement, name: string): HTMLInputElement =>
  form.elements.namedItem(name) as HTMLInputElement

export const define = (tag: string, view: CustomElementConstructor): void => {
  if (customElements.get(tag) === undefined) customElements.define(tag, view)
}
