import type { Stripe } from '@stripe/stripe-js'
import { loadStripe } from '@stripe/stripe-js/dist/pure.mjs'

/** A demo brings its own provider. The page says which, and only in demo mode; the page around us cannot. */
const loadDouble = (address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const script = document.createElement('script')
    script.src = address
    script.onload = () => resolve()
    script.onerror = () => reject(new Error('the provider did not load'))
    document.head.append(script)
  })

/**
 * Stripe.js, loaded when there is something to pay and not before. Throws when it cannot be loaded. Imports nothing of
 * ours, so that this file stays one of its own. `address` is empty except in a demo.
 */
export async function loadProvider(publishableKey: string, address: string): Promise<Stripe> {
  if (address !== '' && !('Stripe' in window)) await loadDouble(address)
  const stripe = await loadStripe(publishableKey, { locale: document.documentElement.lang === 'de' ? 'de' : 'auto' })
  if (stripe === null) throw new Error('the provider is not for this browser')
  return stripe
}
