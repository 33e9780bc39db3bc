export type Browser = ReturnType<typeof browser>

/** A browser that keeps cookies and stops at each redirect. */
export function browser(url: string) {
  const jar = new Map<string, string>()
  const keep = (cookies: readonly string[]) => {
    for (const cookie of cookies) {
      const [pair = ''] = cookie.split(';')
      const at = pair.indexOf('=')
      if (/max-age=0/i.test(cookie)) jar.delete(pair.slice(0, at))
      else jar.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }
  const cookie = () => [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  return {
    keep,
    cookie,
    open: async (address: string | URL) => {
      const headers = { cookie: cookie(), accept: 'text/html', 'sec-fetch-mode': 'navigate' }
      const answer = await fetch(address, { redirect: 'manual', headers })
      keep(answer.headers.getSetCookie())
      return { status: answer.status, location: answer.headers.get('location') ?? '', text: await answer.text() }
    },
    send: async (path: string, body: unknown) => {
      const answer = await fetch(`${url}/auth${path}`, {
        method: 'POST',
        headers: {
          cookie: cookie(),
          'content-type': 'application/json',
          origin: url,
          'sec-fetch-site': 'same-origin',
        },
        body: JSON.stringify(body),
      })
      keep(answer.headers.getSetCookie())
      return { status: answer.status, json: (await answer.json()) as Record<string, unknown> }
    },
  }
}

/** The query that a redirect to one of our pages carries, as the page hands it back in `oauth_query`. */
export const queryOf = (location: unknown): string => String(location).split('?')[1] ?? ''
