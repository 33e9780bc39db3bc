import { lmsRegistry } from '@bursar/connectors/lms/registry.ts'
import { paymentRegistry } from '@bursar/connectors/payments/registry.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { createGuard } from '@bursar/kit/http.ts'
import type { App } from '#action/context.ts'
import { issuesOf, withoutSecrets } from './open.ts'

type Parsed =
  | { readonly success: true }
  | {
      readonly success: false
      readonly error: { readonly issues: readonly { readonly path: PropertyKey[]; readonly message: string }[] }
    }

type Platform = {
  readonly category: 'lms' | 'payment'
  readonly secretFields: readonly string[]
  readonly parse: (settings: unknown) => Parsed
}

/** Every platform a connection can be made for, by name. */
export const platformNames: readonly string[] = [...Object.keys(lmsRegistry), ...Object.keys(paymentRegistry)].sort()

/** What a connection to this platform needs. Throws `input_invalid` for a name nobody knows. */
export function platformOf(name: string): Platform {
  if (Object.hasOwn(lmsRegistry, name)) {
    const { secretFields, configSchema } = lmsRegistry[name as keyof typeof lmsRegistry]
    return { category: 'lms', secretFields, parse: (settings) => configSchema.safeParse(settings) }
  }
  if (Object.hasOwn(paymentRegistry, name)) {
    const { secretFields, configSchema } = paymentRegistry[name as keyof typeof paymentRegistry]
    return { category: 'payment', secretFields, parse: (settings) => configSchema.safeParse(settings) }
  }
  throw new CodedError('input_invalid', `There is no connector named ${name}.`, {
    issues: [{ path: 'platform', message: `must be one of ${platformNames.join(', ')}` }],
  })
}

const settingsMax = 16 * 1024

type Settings = Readonly<Record<string, unknown>>

/**
 * Checks whole settings as a person entered them: their shape, their addresses. Returns them in two parts, of which
 * only the first may lie open. Throws `input_invalid` or `address_forbidden`; neither repeats a value.
 */
export function checkSettings(app: App, platform: Platform, settings: Settings) {
  if (JSON.stringify(settings).length > settingsMax)
    throw new CodedError('input_invalid', `The settings are larger than ${settingsMax} bytes.`)
  const parsed = platform.parse(settings)
  if (!parsed.success)
    throw new CodedError('input_invalid', 'The settings are not what this platform needs.', {
      issues: issuesOf(parsed.error).map((i) => ({ ...i, path: `config.${i.path}` })),
    })
  const { open, secrets } = withoutSecrets(settings, platform.secretFields)
  checkAddresses(app, open)
  return { open, secrets }
}

/** Every address in the settings must be one the hub may call. */
function checkAddresses(app: App, settings: Settings): void {
  const guard = app.guard ?? createGuard({ allowLoopback: app.demo })
  for (const [key, value] of Object.entries(settings)) {
    if (typeof value !== 'string' || !/^[a-z][a-z0-9+.-]*:\/\//i.test(value)) continue
    const address = guard.check(value)
    if (!address.ok)
      throw new CodedError('address_forbidden', `The hub may not call the address in ${key}: ${address.reason}.`, {
        issues: [{ path: `config.${key}`, message: address.reason }],
      })
  }
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The settings with some of them changed; null takes one out. Objects are merged, everything else is replaced. */
export function changed(settings: Settings, change: Settings): Record<string, unknown> {
  const whole: Record<string, unknown> = { ...settings }
  for (const [key, value] of Object.entries(change)) {
    const before = whole[key]
    if (value === null) delete whole[key]
    else whole[key] = isPlain(before) && isPlain(value) ? changed(before, value) : value
  }
  return whole
}
