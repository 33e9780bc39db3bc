import './core.ts'
import type { Config } from '#protocol.ts'
import { App, loading, startApp } from './app.ts'
import { definePay } from './pay.ts'
import { Purchase } from './purchase.ts'
import type { Step } from './steps.ts'
import type { TemplateResult } from './view.ts'

/** Paying, claiming, entering: the elements checkout, payment-form and payment-status. */
class CheckoutApp extends App {
  #purchase: Purchase | null = null
  #step: Step = { at: 'starting', view: loading }

  protected override get busy(): boolean {
    return this.#purchase?.busy === true
  }

  protected override begin(config: Config): void {
    this.#purchase?.stop()
    // A page may change its mind while the hub still answers the old wish; that answer is for nobody then.
    const isCurrent = () => this.#purchase === purchase
    const purchase = new Purchase({
      organization: this.organization,
      element: this.element,
      config,
      show: (step) => isCurrent() && this.#show(step),
      tell: (status, orderRef, event) => isCurrent() && this.tell(status, orderRef, event),
    })
    this.#purchase = purchase
    void purchase.start()
  }

  #show(step: Step): void {
    const before = this.#step
    this.#step = step
    // At first the page around us has the focus, and keeps it.
    if (before.at === 'starting' || before.at === step.at) this.redraw()
    else this.focusHeading()
  }

  protected override view(): TemplateResult {
    return this.#step.view()
  }
}

definePay()
void startApp(CheckoutApp)
