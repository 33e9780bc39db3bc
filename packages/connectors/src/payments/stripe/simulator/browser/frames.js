// Frames on the simulator's origin and a private channel into each. Card fields and every call of the API stay in
// there: the page needs the simulator in script-src and frame-src only, as with the real one.

const greetingName = 'stripe-simulator'

/** A frame that is not in the page yet. `greet` makes what it is told on every load: a moved frame loads anew. */
export function createFrame(home, page, { title, greet, onEvent }) {
  const element = document.createElement('iframe')
  element.title = title
  element.src = `${home}/stripe-js/${page}.html`
  element.style.border = '0'
  const waiting = new Map()
  let port = null
  let asked = 0
  const send = (id, { method, args }) => port.postMessage({ id, method, args })
  const hear = ({ data }) => {
    if (data.event !== undefined) return onEvent?.(data.event, data.detail)
    const call = waiting.get(data.id)
    waiting.delete(data.id)
    if (data.error === undefined) call?.resolve(data.result)
    else call?.reject(new Error(data.error))
  }
  element.addEventListener('load', () => {
    const isFirst = port === null
    const channel = new MessageChannel()
    port = channel.port1
    port.onmessage = hear
    element.contentWindow.postMessage({ greeting: greetingName, ...greet() }, home, [channel.port2])
    for (const [id, call] of waiting) {
      if (isFirst) send(id, call)
      else call.reject(new Error('The frame was loaded anew.'))
      if (!isFirst) waiting.delete(id)
    }
  })
  const call = (method, args) =>
    new Promise((resolve, reject) => {
      asked += 1
      const entry = { method, args, resolve, reject }
      waiting.set(asked, entry)
      if (port !== null) send(asked, entry)
    })
  const remove = () => {
    element.remove()
    for (const call of waiting.values()) call.reject(new Error('The frame was removed.'))
    waiting.clear()
    port = null
  }
  return { element, call, remove }
}

/** The frame nobody sees: it calls the API for the script. */
export function createController(home, key) {
  const frame = createFrame(home, 'controller', { title: 'Stripe controller', greet: () => ({ key }) })
  frame.element.hidden = true
  frame.element.tabIndex = -1
  frame.element.setAttribute('aria-hidden', 'true')
  let isAdded = false
  return (call, body) => {
    if (!isAdded) document.body.append(frame.element)
    isAdded = true
    return frame.call('ask', { call, body })
  }
}

/** The bank's question, over the whole page. Resolves with the answer of the API. */
export function askBank(home, greeting) {
  const before = document.activeElement
  return new Promise((resolve) => {
    const frame = createFrame(home, 'challenge', {
      title: '3-D Secure: your bank asks you to confirm',
      greet: () => greeting,
      onEvent: (_event, result) => {
        frame.remove()
        before?.focus?.()
        resolve(result)
      },
    })
    Object.assign(frame.element.style, {
      position: 'fixed',
      inset: '0',
      width: '100%',
      height: '100%',
      zIndex: '2147483647',
    })
    document.body.append(frame.element)
    frame.element.focus()
  })
}

/** What every frame in the page does: it is as high as its content and can be asked to leave. */
export function place(frame, node) {
  Object.assign(frame.element.style, { width: '100%', height: '0', display: 'block' })
  node.replaceChildren(frame.element)
}
