// What Stripe.js refuses before it does anything. Part of the script that a page loads.

/** A mistake of the page and not of the buyer; Stripe.js throws it under this name. */
export class IntegrationError extends Error {
  constructor(message) {
    super(message)
    this.name = 'IntegrationError'
  }
}

export function checkKey(key) {
  if (typeof key !== 'string' || key === '')
    throw new IntegrationError('Missing value for Stripe(): apiKey should be a string.')
  if (/^(sk|rk)_/.test(key))
    throw new IntegrationError(
      'You should not use your secret key with Stripe.js. Please pass a publishable key instead.',
    )
  if (!/^pk_(test|live)_[A-Za-z0-9]+$/.test(key))
    throw new IntegrationError('Please pass a publishable key: it starts with pk_test_ or pk_live_.')
}

export function checkSecret(secret) {
  if (typeof secret !== 'string' || secret === '')
    throw new IntegrationError('clientSecret should be a client secret of the form cs_…_secret_….')
  if (!/^cs_(test|live)_[A-Za-z0-9]+_secret_\S+$/.test(secret))
    throw new IntegrationError('Invalid clientSecret: it should have the form cs_…_secret_….')
}

/** The node to mount into. A frame in a shadow tree or outside the page would never be seen, or lose its fields. */
export function targetOf(where) {
  const node = typeof where === 'string' ? document.querySelector(where) : where
  if (typeof where === 'string' && node === null)
    throw new IntegrationError(
      `The selector you specified (${where}) applies to no DOM elements that are currently on the page. Make sure the element exists on the page before calling mount().`,
    )
  if (!(node instanceof HTMLElement))
    throw new IntegrationError('Invalid DOM element. Call mount() with a valid DOM element or selector.')
  if (node.getRootNode() instanceof ShadowRoot)
    throw new IntegrationError('Elements cannot be mounted in a ShadowRoot. Please mount in the Light DOM.')
  if (!node.isConnected)
    throw new IntegrationError('The DOM element is not part of the page. Add it before calling mount().')
  return node
}
