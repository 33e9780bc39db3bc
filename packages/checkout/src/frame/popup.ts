export type PopUpResult =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'blocked' | 'closed' | 'failed' }

const lookEveryMs = 500

/**
 * Signing in elsewhere happens in a window of the hub's own origin, with an address bar to look at: providers refuse
 * frames, and nobody should type a password into one. What comes back is a code for one use.
 */
export async function popUp(path: string): Promise<PopUpResult> {
  const popup = window.open(path, 'bursar-sign-in', 'popup,width=480,height=680')
  if (popup === null) return { kind: 'blocked' }
  let result: PopUpResult | null = null
  const hear = (event: MessageEvent) => {
    if (event.origin !== location.origin || event.source !== popup) return
    const data = event.data as { readonly type?: unknown; readonly code?: unknown } | null
    if (data?.type !== 'bursar:sign-in') return
    result = typeof data.code === 'string' ? { kind: 'code', code: data.code } : { kind: 'failed' }
  }
  addEventListener('message', hear)
  // Closing a window tells nobody, so it is looked at.
  while (result === null && !popup.closed) await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  removeEventListener('message', hear)
  popup.close()
  return result ?? { kind: 'closed' }
}
