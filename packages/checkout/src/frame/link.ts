import { type Detail, type EventName, type Hello, readHello, type Status } from '#protocol.ts'

/** The way to the page around us. On the hub's own pages there is none, and everything stays silent. */
export type Link = {
  status(status: Status, orderRef: string | null, event?: EventName): void
}

export const isEmbedded = (): boolean => window.parent !== window

const meta = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name="bursar-${name}"]`)?.content ?? ''

export { meta }

/**
 * Waits for the greeting: from our own parent, from an origin the organization registered, with the number that only
 * whoever made this frame knows. Until then, and to anybody else, nothing is said.
 */
export function openLink(onHello: (hello: Hello) => void): Link {
  const nonce = location.hash.slice(1)
  const origins = new Set([location.origin, ...meta('origins').split(' ')])
  let host = ''
  const post = (message: object) => {
    if (host !== '') window.parent.postMessage({ bursar: 1, nonce, ...message }, host)
  }
  let height = -1
  const measure = () => {
    const px = Math.ceil(document.body.getBoundingClientRect().height)
    if (px !== height && host !== '') post({ kind: 'height', px })
    if (host !== '') height = px
  }
  if (isEmbedded()) {
    addEventListener('message', (event) => {
      if (event.source !== window.parent || !origins.has(event.origin) || nonce === '') return
      const hello = readHello(event.data, nonce)
      if (hello === null) return
      if (host === '') {
        host = event.origin
        post({ kind: 'ready' })
        new ResizeObserver(measure).observe(document.body)
      }
      if (event.origin === host) onHello(hello)
    })
  }
  return {
    status: (status, orderRef, event) =>
      post({ kind: 'status', status, orderRef, event: event ?? null } satisfies {
        kind: string
        event: unknown
      } & Detail),
  }
}
