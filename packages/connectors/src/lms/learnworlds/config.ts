import * as z from 'zod'

/**
 * What only a live school can settle, each with the answer we assume until told otherwise. None of them is needed
 * for a first connection.
 */
const flagsSchema = z.object({
  /** Send first_name and last_name on create. Undocumented; of use only where the school keeps both names apart. */
  sendNames: z.boolean().default(false),
  /** Send the launch target as a path instead of an absolute address. All known samples are absolute. */
  relativeRedirect: z.boolean().default(false),
  /** For how long after our own create a 404 may mean that the account is not visible yet. */
  visibilityWindowMs: z.number().int().min(0).max(120_000).default(15_000),
  /** How long a token counts as good when the answer names no `expires_in`. */
  tokenLifetimeS: z.number().int().min(60).max(86_400).default(1_800),
  /** Refuse webhooks whose `school_id` is not our client id. */
  checkSchoolId: z.boolean().default(true),
  /** After a revoke, read what the learner still owns (one call) and report what still opens the course. */
  readBackRevoke: z.boolean().default(true),
  /** When the school says "already owned", read whether that access is still open (one call). */
  checkOwnedIsOpen: z.boolean().default(true),
})

const authSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('token'), accessToken: z.string().min(8) }),
  z.object({
    kind: z.literal('credentials'),
    clientSecret: z.string().min(4),
    /** `form` is what LearnWorlds' own plugin sends; `json` works too. */
    encoding: z.enum(['form', 'json']).default('form'),
  }),
])

/** `{id}` stands for the product's slug. Absolute paths on the school's host. */
const pathsSchema = z.object({
  course: z.string().startsWith('/').default('/course/{id}'),
  bundle: z.string().startsWith('/').default('/bundle/{id}'),
  subscription: z.string().startsWith('/').default('/plan/{id}'),
  /** Where the school's own sign-in starts; `{target}` stands for the whole address to land on, encoded. */
  signIn: z.string().startsWith('/').includes('{target}').default('/login?redirectUrl={target}'),
})

export const learnWorldsConfigSchema = z.object({
  /** `https://school.example` or the same with `/admin/api`. */
  baseUrl: z.url({ protocol: /^https?$/ }),
  /** 24 hexadecimal digits under Settings > Developers > API; the school's id in webhooks as well. Never the domain. */
  clientId: z.string().min(4).max(100),
  auth: authSchema,
  /** How many calls the school allows in `windowMs`; 0 means no limit. LearnWorlds documents 30 in 10 seconds. */
  requests: z.number().int().min(0).default(30),
  windowMs: z.number().int().min(1).default(10_000),
  timeoutMs: z.number().int().min(10).max(120_000).default(15_000),
  /**
   * How a learner is signed in: `sso` asks the school for a login link on each click; `oidc` sends the learner to the
   * school's own sign-in, which knows this hub as its OpenID provider. That needs no call at all. Learners whose
   * browser is not signed in at the hub itself still get a link.
   */
  launchBy: z.enum(['sso', 'oidc']).default('sso'),
  /** Further hosts, besides the school's, that a login link may point at. */
  launchHosts: z.array(z.string().min(1)).default([]),
  paths: pathsSchema.default(() => pathsSchema.parse({})),
  flags: flagsSchema.default(() => flagsSchema.parse({})),
})

/** What a person writes; everything with a default may be left out. */
export type LearnWorldsConfig = z.input<typeof learnWorldsConfigSchema>

export type Settings = z.output<typeof learnWorldsConfigSchema> & {
  /** Scheme, host and port of the school. */
  readonly origin: string
}

/** Fills in the defaults. Throws on a wrong configuration: that is a caller's bug, the hub validates on entry. */
export function readConfig(config: LearnWorldsConfig): Settings {
  const settings = learnWorldsConfigSchema.parse(config)
  return { ...settings, origin: new URL(settings.baseUrl).origin }
}

/** Where secrets stand in the configuration, so that the hub encrypts them and never shows them. */
export const learnWorldsSecretFields = ['auth.accessToken', 'auth.clientSecret'] as const
