import type { Http } from '@bursar/kit/http.ts'
import type { ConnectorIo } from '../../../io.ts'
import type { Settings } from '../config.ts'

const schoolsMax = 1_000

/**
 * One value per configuration for everybody who works through the same `Http`. A hub opens a connector for each
 * piece of work; what they learn about one school (a renewal that is running, an account just seen) they share.
 */
export function onePerSchool<T>(make: (settings: Settings, io: ConnectorIo) => T) {
  const byHttp = new WeakMap<Http, Map<string, T>>()
  return (settings: Settings, io: ConnectorIo): T => {
    const kept = byHttp.get(io.http) ?? new Map<string, T>()
    byHttp.set(io.http, kept)
    // The whole configuration, secrets included, is the key: other credentials never share. It stays in memory.
    const key = JSON.stringify(settings)
    const value = kept.get(key) ?? make(settings, io)
    kept.set(key, value)
    const oldest = kept.size > schoolsMax ? kept.keys().next().value : undefined
    if (oldest !== undefined) kept.delete(oldest)
    return value
  }
}
