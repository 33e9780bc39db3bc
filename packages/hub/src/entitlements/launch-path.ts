/** How long a path into a school may be; learning platforms' own addresses stay far below. */
export const pathMax = 500

// Visible ASCII without the backslash, which browsers read as a slash, and without what ends an attribute.
const visible = /^\/(?!\/)[!#-&(-;=?-[\]-~]*$/

/** Whether this is a path inside a site: one slash first, never a way to another host. */
export function isInsidePath(path: string): boolean {
  if (path.length > pathMax || !visible.test(path)) return false
  const url = URL.parse(path, 'https://inside.invalid')
  // Taken apart and put together again, `/.//host` would be `//host`.
  return url !== null && url.origin === 'https://inside.invalid' && !url.pathname.startsWith('//')
}

/** The origins a login link of this school may lead to: its own addresses, and the hosts its settings add. */
export function schoolOrigins(config: Readonly<Record<string, unknown>>): string[] {
  const own = Object.values(config).flatMap((v) =>
    typeof v === 'string' && /^https?:\/\//.test(v) ? [URL.parse(v)] : [],
  )
  const added = Array.isArray(config.launchHosts)
    ? config.launchHosts.map((h) => URL.parse(`https://${String(h)}`))
    : []
  return [...new Set([...own, ...added].flatMap((url) => (url === null ? [] : [url.origin])))]
}

/** The path of an address at this school; null when it lies anywhere else or cannot be read. */
export function pathInSchool(config: Readonly<Record<string, unknown>>, address: string): string | null {
  const url = address.length > pathMax * 2 ? null : URL.parse(address)
  if (url === null || url.username !== '' || url.password !== '' || !schoolOrigins(config).includes(url.origin))
    return null
  const path = `${url.pathname}${url.search}`
  return isInsidePath(path) ? path : null
}
