// `stripe.createEmbeddedCheckoutPage` as @stripe/stripe-js 10 types it, for ui_mode `embedded_page`.
import { createFrame, place } from './frames.js'
import { checkSecret, IntegrationError, targetOf } from './guards.js'

/** Stripe.js lets a page have one at a time. */
let isTaken = false

async function secretOf({ clientSecret, fetchClientSecret }) {
  if ((clientSecret === undefined) === (fetchClientSecret === undefined))
    throw new IntegrationError('createEmbeddedCheckoutPage(): pass either clientSecret or fetchClientSecret.')
  const secret = clientSecret ?? (await fetchClientSecret())
  checkSecret(secret)
  return secret
}

export async function createEmbeddedCheckoutPage(stripe, options = {}) {
  if (isTaken) throw new IntegrationError('You cannot have multiple Embedded Checkout objects.')
  isTaken = true
  try {
    const clientSecret = await secretOf(options)
    const loaded = await stripe.ask('session', { clientSecret, ui: 'embedded_page' })
    if (loaded.type !== 'success') throw new IntegrationError(loaded.error.message)
    return embeddedPage(stripe, clientSecret, options)
  } catch (error) {
    isTaken = false
    throw error
  }
}

function embeddedPage(stripe, clientSecret, { onComplete }) {
  let frame = null
  let isDestroyed = false
  const hear = (event, detail) => {
    if (event === 'height') frame.element.style.height = `${detail}px`
    else if (event === 'complete' && detail.returnUrl !== null) location.assign(detail.returnUrl)
    else if (event === 'complete') onComplete?.()
  }
  const unmount = () => {
    frame?.remove()
    frame = null
  }
  return {
    mount: (where) => {
      const node = targetOf(where)
      if (isDestroyed) throw new IntegrationError('This Embedded Checkout has been destroyed.')
      if (frame !== null) throw new IntegrationError('Embedded Checkout is mounted already.')
      frame = createFrame(stripe.home, 'embedded', {
        title: 'Secure payment page',
        greet: () => ({ key: stripe.key, clientSecret, home: stripe.home }),
        onEvent: hear,
      })
      place(frame, node)
    },
    unmount,
    destroy: () => {
      unmount()
      isDestroyed = true
      isTaken = false
    },
  }
}
