import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { CodedError } from '../errors.ts'
import { isForbiddenAddress, isLoopbackAddress } from './ranges.ts'

export type AddressCheck = { readonly ok: true; readonly url: URL } | { readonly ok: false; readonly reason: string }

/** Decides which addresses this program may call, so that a stranger's URL cannot reach into its own network. */
export type AddressGuard = {
  /** For registration and again for every request. The reason is safe to show. */
  check(url: string): AddressCheck
  /** True for an origin the operator configured by hand. */
  trusts(origin: string): boolean
  /**
   * Name resolution for connections: every address is checked, and the connection goes to what was checked, so a
   * name that changes between check and use gains nothing. Never called for IP literals: `check` covers those.
   */
  readonly lookup: LookupFunction
  /** The same without the range check, for trusted origins only. */
  readonly trustedLookup: LookupFunction
}

export type Resolve = (
  hostname: string,
  done: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void

export type GuardOptions = {
  /** Opens 127.0.0.1, [::1] and localhost, with http and on any port. For development and simulators. */
  readonly allowLoopback?: boolean
  /** Exact origins that somebody with shell access configured; range, scheme and port are not checked for them. */
  readonly trustedOrigins?: readonly string[]
  /** Ports beside 443. */
  readonly ports?: readonly number[]
  /** Refuses `allowLoopback`. */
  readonly production?: boolean
  /** Default: the system's resolver. */
  readonly resolve?: Resolve
}

export const blockedCode = 'ADDRESS_FORBIDDEN'

const blocked = (hostname: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${hostname} resolves to an address outside the public internet`), { code: blockedCode })

const systemResolve: Resolve = (hostname, done) => systemLookup(hostname, { all: true }, done)

const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

const isLoopbackName = (host: string): boolean => host === 'localhost' || host === '127.0.0.1' || host === '::1'

function originOf(text: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CodedError('address_forbidden', `A trusted origin must be an http or https origin: ${text}`)
  return url.origin
}

function guardedLookup(resolve: Resolve, allowed: (hostname: string, address: string) => boolean): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, (error, addresses) => {
      if (error !== null) return done(error, '', 0)
      const wanted = options.family === 4 || options.family === 6 ? options.family : 0
      const fitting = addresses.filter((a) => wanted === 0 || a.family === wanted)
      const [first] = fitting
      if (first === undefined) {
        const missing = Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' })
        return done(missing, '', 0)
      }
      // One forbidden address spoils the name: an honest public host has none.
      if (addresses.some((a) => !allowed(hostname, a.address))) return done(blocked(hostname), '', 0)
      if (options.all === true) return done(null, fitting)
      done(null, first.address, first.family)
    })
  }
}

/**
 * The guard for all outbound traffic: https on port 443 (or an allowed one), no credentials in the URL, public
 * addresses only. Throws `address_forbidden` when loopback is to be opened in production.
 */
export function createGuard(options: GuardOptions = {}): AddressGuard {
  const allowLoopback = options.allowLoopback === true
  if (allowLoopback && options.production === true)
    throw new CodedError('address_forbidden', 'Calls to loopback addresses cannot be opened in production.')
  const trusted = new Set((options.trustedOrigins ?? []).map(originOf))
  const ports = new Set((options.ports ?? []).map(String))
  const resolve = options.resolve ?? systemResolve
  const no = (reason: string): AddressCheck => ({ ok: false, reason })

  const check = (text: string): AddressCheck => {
    const url = URL.parse(text)
    if (url === null) return no('not a URL')
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return no('only https is called')
    if (url.username !== '' || url.password !== '') return no('credentials do not belong in a URL')
    if (trusted.has(url.origin)) return { ok: true, url }
    const host = bareHost(url)
    if (allowLoopback && isLoopbackName(host)) return { ok: true, url }
    if (url.protocol !== 'https:') return no('only https is called')
    if (url.port !== '' && !ports.has(url.port)) return no(`port ${url.port} is not allowed`)
    const name = host.replace(/\.+$/, '')
    if (name === '') return no('the host is empty')
    if (name === 'localhost' || name.endsWith('.localhost')) return no('the host is this machine')
    if (isIP(host) !== 0 && isForbiddenAddress(host)) return no('the address is outside the public internet')
    return { ok: true, url }
  }

  const allowed = (hostname: string, address: string): boolean =>
    !isForbiddenAddress(address) || (allowLoopback && isLoopbackName(hostname) && isLoopbackAddress(address))

  return {
    check,
    trusts: (origin) => trusted.has(origin),
    lookup: guardedLookup(resolve, allowed),
    trustedLookup: guardedLookup(resolve, () => true),
  }
}
