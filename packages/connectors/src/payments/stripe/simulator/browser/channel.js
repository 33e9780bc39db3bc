// The frame's end of the channel that `frames.js` opens, and the way to the API. Runs on the simulator's own origin.

/** Answers the calls of the page that embeds this frame. `start` gets its greeting and a way to tell it something. */
export function serve(handlers, start) {
  addEventListener('message', (event) => {
    const [port] = event.ports
    if (event.data?.greeting !== 'stripe-simulator' || port === undefined) return
    port.onmessage = async ({ data }) => {
      try {
        port.postMessage({ id: data.id, result: await handlers[data.method](data.args) })
      } catch (error) {
        port.postMessage({ id: data.id, error: error.message })
      }
    }
    start(event.data, (name, detail) => port.postMessage({ event: name, detail }))
  })
}

/** One call of the API. An answer that is none is an error as a page would see it. */
export async function ask(call, body) {
  try {
    const response = await fetch(`/stripe-js/api/${call}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return await response.json()
  } catch (error) {
    return { type: 'error', error: { message: `Stripe could not be reached: ${error.message}`, code: null } }
  }
}

/** Tells the page how high this frame wants to be, now and after every change. */
export function tellHeight(tell) {
  const measure = () => tell('height', Math.ceil(document.documentElement.getBoundingClientRect().height))
  new ResizeObserver(measure).observe(document.documentElement)
  measure()
}
