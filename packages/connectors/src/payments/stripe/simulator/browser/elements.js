// `stripe.initCheckoutElementsSdk` as @stripe/stripe-js 10 types it, for ui_mode `elements`.
import { askBank, createFrame, place } from './frames.js'
import { checkSecret, IntegrationError, targetOf } from './guards.js'

/** Listeners of one element or of the SDK. */
function createListeners() {
  const all = new Map()
  const of = (name) => all.get(name) ?? all.set(name, new Set()).get(name)
  return {
    on: (name, handler) => of(name).add(handler),
    off: (name, handler) => (handler === undefined ? of(name).clear() : of(name).delete(handler)),
    emit: (name, detail) => {
      for (const handler of [...of(name)]) handler(detail)
    },
  }
}

const kinds = {
  payment: { page: 'payment', title: 'Secure payment input frame', elementType: 'payment' },
  billing: { page: 'address', title: 'Secure address input frame', elementType: 'address' },
}

/** The listener side of an element, chainable as Stripe's. */
function chained(element, listeners) {
  const chain = (work) => (name, handler) => {
    work(name, handler)
    return element
  }
  const once = (name, handler) => {
    const first = (detail) => {
      listeners.off(name, first)
      handler(detail)
    }
    listeners.on(name, first)
  }
  return { on: chain(listeners.on), off: chain(listeners.off), once: chain(once) }
}

/** An element: a frame with fields. `whenLoaded` is the session's answer, which may refuse; `heard` sees its events. */
function createElement(kind, { stripe, appearance, greeting = {}, whenLoaded, heard = () => undefined }) {
  const { page, title, elementType } = kinds[kind]
  const listeners = createListeners()
  let frame = null
  let isDestroyed = false
  const emit = (event, detail) => listeners.emit(event, { elementType, ...detail })
  const hear = (event, detail) => {
    heard(event, detail)
    if (event === 'height') frame.element.style.height = `${detail}px`
    else if (event === 'ready') whenLoaded().then((loaded) => loaded.type === 'success' && emit('ready', {}))
    else emit(event, detail)
  }
  const unmount = () => {
    frame?.remove()
    frame = null
  }
  const mount = (where) => {
    const node = targetOf(where)
    if (isDestroyed) throw new IntegrationError('This Element has been destroyed and cannot be mounted again.')
    if (frame !== null) throw new IntegrationError('This Element is mounted already. Unmount it first.')
    const greet = () => ({ key: stripe.key, appearance: appearance.current, ...greeting })
    frame = createFrame(stripe.home, page, { title, greet, onEvent: hear })
    place(frame, node)
    whenLoaded().then((loaded) => {
      if (loaded.type === 'success') return
      unmount()
      emit('loaderror', { error: { type: 'invalid_request_error', message: loaded.error.message } })
    })
  }
  const tell = (method) => () => void frame?.call(method)
  const element = {
    mount,
    unmount,
    destroy: () => {
      unmount()
      isDestroyed = true
    },
    focus: tell('focus'),
    blur: tell('blur'),
    clear: tell('clear'),
    collapse: () => undefined,
    update: () => undefined,
  }
  Object.assign(element, chained(element, listeners))
  return { element, frame: () => frame, isDestroyed: () => isDestroyed }
}

const refused = (message, code = null) => ({ type: 'error', error: { message, code } })
const notSimulated = (what) => async () => refused(`${what} is not simulated.`)

/** The session as the page last saw it, and every way to ask for a newer one. */
function createState(stripe, clientSecret, listeners) {
  let session = null
  let loading = null
  const take = (answer) => {
    if (answer.session === undefined) return answer
    const isNew = JSON.stringify(session) !== JSON.stringify(answer.session)
    session = answer.session
    if (isNew) listeners.emit('change', session)
    return answer
  }
  const ask = async (call, body = {}) => take(await stripe.ask(call, { ...body, clientSecret: await clientSecret }))
  const load = async () => {
    try {
      checkSecret(await clientSecret)
    } catch (error) {
      return refused(error.message)
    }
    return ask('session', { ui: 'elements' })
  }
  return {
    ask,
    take,
    session: () => session,
    load: () => {
      loading ??= load()
      return loading
    },
  }
}

/** Sends the browser on as the session says, unless the page wants to stay where nothing forces it to leave. */
function leave(result, { redirect = 'always', returnUrl }) {
  if (result.type !== 'success' || redirect === 'if_required') return
  const to = returnUrl ?? result.returnUrl
  if (typeof to === 'string') location.assign(to)
}

/** Nothing to pay now or later: then no details are asked for. A trial costs nothing now and wants a card. */
const isFree = (session) =>
  session?.total.total.minorUnitsAmount === 0 && session.lineItems.every((line) => line.recurring === null)

function createConfirm(stripe, clientSecret, state, payment) {
  const send = async (greeting) => {
    if (isFree(state.session())) return state.ask('confirm', greeting)
    const frame = payment()?.frame() ?? null
    if (frame === null) return refused('No Payment Element is mounted: mount one before calling confirm().')
    return frame.call('confirm', { ...greeting, clientSecret: await clientSecret })
  }
  return async (args = {}) => {
    const { email, billingAddress } = args
    const first = await send({ ...(email ? { email } : {}), ...(billingAddress ? { billingAddress } : {}) })
    const answer =
      first.type === 'challenge'
        ? await askBank(stripe.home, { key: stripe.key, clientSecret: await clientSecret })
        : first
    const { returnUrl, ...result } = state.take(answer)
    leave({ ...result, returnUrl }, args)
    return result
  }
}

function actionsOf(stripe, clientSecret, state, payment) {
  return {
    applyPromotionCode: (code) => state.ask('promotion', { code }),
    removePromotionCode: () => state.ask('promotion', { code: null }),
    updateEmail: (email) => state.ask('update', { email }),
    updateBillingAddress: (billingAddress) => state.ask('update', { billingAddress }),
    updateShippingAddress: notSimulated('A shipping address'),
    updatePhoneNumber: notSimulated('A phone number'),
    updateIndividualName: notSimulated('A name of its own'),
    updateBusinessName: notSimulated('A business name'),
    updateTaxIdInfo: notSimulated('A tax id'),
    updateShippingOption: notSimulated('Shipping'),
    addOptionalLineItem: notSimulated('An optional item'),
    removeOptionalLineItem: notSimulated('An optional item'),
    updateLineItemQuantity: async () => refused('The quantity of this line item cannot be changed.'),
    runServerUpdate: async (work) => {
      await work()
      return state.ask('session', { ui: 'elements' })
    },
    validateElements: async () => {
      const frame = payment()?.frame() ?? null
      const message = frame === null ? 'No Element is mounted.' : await frame.call('validate')
      if (message === null) return { type: 'success', session: state.session() }
      const code = frame === null ? 'no_elements' : 'validation_error'
      return { type: 'error', error: { code, message, validation_errors: [{ message, element: 'payment' }] } }
    },
    getSession: () => state.session(),
    confirm: createConfirm(stripe, clientSecret, state, payment),
  }
}

const otherElements = ['ShippingAddress', 'ExpressCheckout', 'CurrencySelector', 'TaxId']
const laterElements = ['ContactDetails', 'Terms', 'LinkSignup']

/** Elements this fake has not: asking for one is a mistake to see at once. */
const missingElements = () =>
  Object.fromEntries(
    [...otherElements, ...laterElements].flatMap((name) => [
      [`get${name}Element`, () => null],
      [
        `create${name}Element`,
        () => {
          throw new IntegrationError(`The simulator has no ${name} Element.`)
        },
      ],
    ]),
  )

export function initCheckoutElementsSdk(stripe, options) {
  const secret = options?.clientSecret
  if (secret === undefined || secret === null)
    throw new IntegrationError('initCheckoutElementsSdk(): clientSecret is required.')
  if (typeof secret === 'string') checkSecret(secret)
  const clientSecret = Promise.resolve(secret)
  const appearance = { current: options.elementsOptions?.appearance ?? {} }
  const listeners = createListeners()
  const state = createState(stripe, clientSecret, listeners)
  const made = {}
  const current = (kind) => (made[kind] === undefined || made[kind].isDestroyed() ? null : made[kind])
  const create = (kind, more) => {
    if (current(kind) !== null) throw new IntegrationError(`Can only create one Element of type ${kind}.`)
    made[kind] = createElement(kind, { stripe, appearance, whenLoaded: state.load, ...more })
    return made[kind].element
  }
  // A whole address moves the tax; the session tells its listeners.
  const located = (event, detail) => {
    if (event === 'change' && detail.complete) void state.ask('update', { billingAddress: detail.value })
  }
  return {
    ...missingElements(),
    on: (name, handler) => listeners.on(name, handler),
    loadActions: async () => {
      const loaded = await state.load()
      if (loaded.type !== 'success') return loaded
      const { email, billingAddress } = options.defaultValues ?? {}
      if (email !== undefined || billingAddress !== undefined)
        await state.ask('update', { ...(email ? { email } : {}), ...(billingAddress ? { billingAddress } : {}) })
      return { type: 'success', actions: actionsOf(stripe, clientSecret, state, () => current('payment')) }
    },
    changeAppearance: (next) => {
      appearance.current = next
      for (const kind of Object.keys(kinds)) void current(kind)?.frame()?.call('appearance', next)
    },
    loadFonts: () => undefined,
    getPaymentElement: () => current('payment')?.element ?? null,
    getBillingAddressElement: () => current('billing')?.element ?? null,
    createPaymentElement: (asked = {}) => create('payment', { greeting: { readOnly: asked.readOnly === true } }),
    createBillingAddressElement: () => create('billing', { heard: located }),
  }
}
