// The script a page loads in place of js.stripe.com: the simulator sends it, together with the files it imports, as
// one classic script. It keeps Stripe's guards, so that what works here works there.
import { initCheckoutElementsSdk } from './elements.js'
import { createEmbeddedCheckoutPage } from './embedded.js'
import { createController } from './frames.js'
import { checkKey } from './guards.js'

/** Puts `Stripe` into the page. `home` is the simulator's origin, `train` the release that @stripe/stripe-js asks for. */
export function install(home, train) {
  const Stripe = (key) => {
    checkKey(key)
    const controller = createController(home, key)
    const stripe = { home, key, ask: controller }
    return {
      initCheckoutElementsSdk: (options) => initCheckoutElementsSdk(stripe, options),
      createEmbeddedCheckoutPage: (options) => createEmbeddedCheckoutPage(stripe, options),
      registerAppInfo: () => undefined,
      _registerWrapper: () => undefined,
    }
  }
  Stripe.version = train
  globalThis.Stripe = Stripe
}
