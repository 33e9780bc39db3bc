import type * as z from 'zod'
import type { ConnectorIo } from '../io.ts'
import { type LearnWorldsConfig, learnWorldsConfigSchema, learnWorldsSecretFields } from './learnworlds/config.ts'
import { createLearnWorlds } from './learnworlds/index.ts'
import type { LmsConnector } from './port.ts'

/** One platform the hub can connect to. */
export type LmsPlatform<Config> = {
  readonly title: string
  /** Validates what a person enters. `Config` is its input: defaults are filled in by `create`. */
  readonly configSchema: z.ZodType<unknown, Config>
  /** Dotted paths of the values to encrypt and never to show. An absent path is fine. */
  readonly secretFields: readonly string[]
  readonly create: (config: Config, io: ConnectorIo) => LmsConnector
}

const platform = <Config>(entry: LmsPlatform<Config>): LmsPlatform<Config> => entry

/** Every platform, by the name that a connection stores. A new one is a folder and a line here. */
export const lmsRegistry = {
  learnworlds: platform<LearnWorldsConfig>({
    title: 'LearnWorlds',
    configSchema: learnWorldsConfigSchema,
    secretFields: learnWorldsSecretFields,
    create: createLearnWorlds,
  }),
} as const

export type LmsPlatformName = keyof typeof lmsRegistry

export const isLmsPlatform = (name: string): name is LmsPlatformName => Object.hasOwn(lmsRegistry, name)

export type LmsConfigResult =
  | { readonly ok: true; readonly connector: LmsConnector }
  | {
      readonly ok: false
      readonly issues: readonly { readonly path: string; readonly message: string }[]
    }

/** Validates a stored or entered configuration and opens the connector. The issues name fields, never values. */
export function openLms(name: LmsPlatformName, config: unknown, io: ConnectorIo): LmsConfigResult {
  const entry = lmsRegistry[name]
  const parsed = entry.configSchema.safeParse(config)
  if (parsed.success) return { ok: true, connector: entry.create(config as LearnWorldsConfig, io) }
  const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
  return { ok: false, issues }
}
