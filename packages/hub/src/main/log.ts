import { pino } from 'pino'
import type { Log } from '#action/context.ts'

export type LogLevel = 'info' | 'warn' | 'error' | 'silent'

// A second net under the rule that secrets are never handed to a log: what looks like one is cut out.
const redact = [
  'secret',
  'token',
  'password',
  'authorization',
  'credentials',
  'key',
  '*.secret',
  '*.token',
  '*.authorization',
]

/** One JSON object per line on standard error; standard output belongs to the ready line. */
export function createLog(level: LogLevel): Log {
  const logger = pino(
    { level, base: null, redact: { paths: redact, censor: '[cut]' } },
    pino.destination({ dest: 2, sync: false }),
  )
  const plain = (facts: Readonly<Record<string, unknown>> = {}) =>
    Object.fromEntries(
      Object.entries(facts).map(([k, v]) => [
        k,
        v instanceof Error ? `${v.name}: ${v.message}` : typeof v === 'bigint' ? v.toString() : v,
      ]),
    )
  return {
    info: (message, facts) => logger.info(plain(facts), message),
    warn: (message, facts) => logger.warn(plain(facts), message),
    error: (message, facts) => logger.error(plain(facts), message),
  }
}
