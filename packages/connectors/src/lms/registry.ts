import type * as z from 'zod'
import type { ConnectorIo } from '../io.ts'
import { type LearnWorldsConfig, learnWorldsConfigSchema, learnWorldsSecretFields } from './learnworlds/config.ts'
import { createLearnWorlds } from './learnworlds/index.ts'
import type { LmsConnector } from './port.ts'

export type LmsOpened =
  | { readonly ok: true; readonly connector: LmsConnector }
  | { readonly ok: false; readonly issues: readonly { readonly path: string; readonly message: string }[] }

/** One platform the hub can connect to. */
export type LmsPlatform<Config> = {
  readonly title: string
  /** Validates what a person enters; the parsed value has the defaults filled in. */
  readonly configSchema: z.ZodType<unknown, Config>
  /** Dotted paths of the values to encrypt and never to show. An absent path is fine. */
  readonly secretFields: readonly string[]
  /** For a configuration known to be good; throws on a wrong one. */
  readonly create: (config: Config, io: ConnectorIo) => LmsConnector
}

function platform<Config>(entry: LmsPlatform<Config>) {
  const open = (config: unknown, io: ConnectorIo): LmsOpened => {
    const parsed = entry.configSchema.safeParse(config)
    // A value that parses is a valid input of the same schema.
    if (parsed.success) return { ok: true, connector: entry.create(config as Config, io) }
    const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
    return { ok: false, issues }
  }
  return { ...entry, open }
}

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

/** Validates a stored or entered configuration and opens the connector. The issues name fields, never values. */
export const openLms = (name: LmsPlatformName, config: unknown, io: ConnectorIo): LmsOpened =>
  lmsRegistry[name].open(config, io)
