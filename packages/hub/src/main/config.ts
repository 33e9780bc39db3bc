import { mailProblems } from '#mail/smtp-address.ts'
import { address, choice, flag, optional, type Setting, text, whole } from './settings.ts'

/** Every setting the program has. The manual (docs/reference/settings.md) is generated from this list. */
export const settings = {
  demo: flag(
    'BURSAR_DEMO',
    'Runs against simulators of Stripe and LearnWorlds with a seeded school. Left out: true as long as no database, payment or school is configured and NODE_ENV is not production.',
  ),
  role: choice(
    'BURSAR_ROLE',
    'What this process does: answer HTTP, work off jobs, or both.',
    ['all', 'web', 'worker'],
    'all',
  ),
  port: optional('PORT', 'Where HTTP is answered, 0 for any free port. Left out: 8787; a worker then answers no HTTP.'),
  host: optional('HOST', 'The address HTTP listens on. Left out: 127.0.0.1 in demo mode, else 0.0.0.0.'),
  publicUrl: address(
    'BURSAR_PUBLIC_URL',
    'How the outside world reaches this hub; links in mails and checkouts start with it. Left out: the address it listens on.',
    null,
    { aliases: ['NEXT_PUBLIC_APP_URL'] },
  ),
  trustProxy: optional(
    'BURSAR_TRUST_PROXY',
    'Addresses or networks of the proxies in front (10.0.0.0/8; separated by commas), whose X-Forwarded-For says who the client is. Left out: nobody is believed, and behind a proxy all clients share one network\u2019s limits.',
  ),
  databaseUrl: optional(
    'DATABASE_URL',
    'A PostgreSQL server (15 or newer). Left out: an embedded PostgreSQL in the data folder.',
    { secret: true },
  ),
  databasePool: whole('BURSAR_DATABASE_POOL', 'Connections to the database per process.', 12, { min: 2, max: 200 }),
  dataFolder: text('BURSAR_DATA', 'The folder for the embedded database and generated keys.', '.bursar'),
  secret: optional(
    'BURSAR_SECRET',
    'Encrypts stored credentials: 32 random bytes in base64url (`openssl rand -base64 32`). Left out: made once and kept in the data folder; give it when several machines share one database.',
    { secret: true },
  ),
  concurrency: whole('BURSAR_CONCURRENCY', 'Jobs at a time per worker process.', 32, { min: 1, max: 500 }),
  smtpUrl: optional(
    'BURSAR_SMTP_URL',
    'The mail server for codes, receipts and notices: `smtp://user:password@host:587` (STARTTLS is required, except on this machine), `smtps://…:465`, or `smtp+plain://…:25` inside a network of your own. Left out: messages wait and nobody can sign in by a code; the demo keeps them in its mailbox.',
    { secret: true },
  ),
  mailFrom: optional(
    'BURSAR_MAIL_FROM',
    'Who writes: `school@example.com`, or `Harbour School <school@example.com>`. Without a name, the organization’s. Needed with BURSAR_SMTP_URL.',
  ),
  mailReplyTo: optional('BURSAR_MAIL_REPLY_TO', 'Where answers go. Left out: to BURSAR_MAIL_FROM.'),
  seed: optional(
    'BURSAR_SEED',
    'A JSON file with organizations, connections, courses, products and prices, brought in at every start. See docs/guides/seed-file.md.',
  ),
  trustedOrigins: optional(
    'BURSAR_TRUSTED_ORIGINS',
    'Addresses (scheme, host, port; separated by commas) the hub may call although they are private or without TLS, such as a school in your own network. Addresses given in this environment or the seed file are trusted already.',
  ),
  origins: optional(
    'BURSAR_ORIGINS',
    'Sites that may show the checkout and login of the organization configured here (https://shop.example; separated by commas). Others: the action origins.add.',
  ),
  payloadDays: whole('BURSAR_PAYLOAD_DAYS', 'How many days the bodies of inbound events are kept.', 90, {
    min: 2,
    max: 3_650,
  }),
  logLevel: choice(
    'BURSAR_LOG',
    'What is logged, as JSON lines on standard error. auto: warn in demo mode, else info.',
    ['auto', 'info', 'warn', 'error', 'silent'],
    'auto',
  ),
  stripeSecretKey: optional(
    'STRIPE_SECRET_KEY',
    'Lets the hub read payments back and create checkouts. Left out: signed events are believed as they come, and checkout and refund are not available.',
    { secret: true },
  ),
  stripePublishableKey: optional(
    'STRIPE_PUBLISHABLE_KEY',
    'The key that browsers may know; the checkout inside a page needs it. Left out: buyers pay on Stripe\u2019s own page.',
  ),
  stripeWebhookSecret: optional(
    'STRIPE_WEBHOOK_SECRET',
    'The signing secret of the Stripe endpoint that points at /api/stripe/webhook. Several, separated by commas, while one is replaced.',
    { secret: true },
  ),
  stripeApiBase: address(
    'STRIPE_API_BASE',
    'Another address than https://api.stripe.com, for a sandbox of your own.',
    null,
  ),
  stripeLivemode: flag(
    'STRIPE_LIVEMODE',
    'Whether events must be live or test events. Left out: from the secret key, else both are taken.',
  ),
  learnworldsBaseUrl: address('LEARNWORLDS_BASE_URL', 'The school, such as https://school.learnworlds.com.', null),
  learnworldsClientId: optional('LEARNWORLDS_CLIENT_ID', 'The client id under Settings, Developers, API.'),
  learnworldsClientSecret: optional('LEARNWORLDS_CLIENT_SECRET', 'The client secret beside it.', { secret: true }),
  learnworldsAccessToken: optional('LEARNWORLDS_ACCESS_TOKEN', 'A ready access token instead of the client secret.', {
    secret: true,
  }),
  learnworldsWebhookToken: optional(
    'LEARNWORLDS_WEBHOOK_TOKEN',
    'The token the school sends in Learnworlds-Webhook-Signature.',
    { secret: true },
  ),
  learnworldsRequests: whole(
    'LEARNWORLDS_REQUESTS',
    'Calls the school allows in LEARNWORLDS_WINDOW_MS; 0 for no limit.',
    30,
    { min: 0, max: 100_000 },
  ),
  learnworldsWindowMs: whole('LEARNWORLDS_WINDOW_MS', 'The window of that limit.', 10_000, {
    min: 100,
    max: 3_600_000,
  }),
  learnworldsTokenEncoding: choice(
    'LEARNWORLDS_TOKEN_ENCODING',
    'How the client credentials are sent.',
    ['form', 'json'],
    'form',
  ),
  map: optional(
    'BURSAR_MAP',
    'Which price or checkout metadata opens which course, separated by commas: `price_123=course:my-course` or `metadata.courseId:42=bundle:my-bundle`; several courses with `+`.',
  ),
} as const satisfies Record<string, Setting<unknown>>

type Read<S> = S extends Setting<infer T> ? T : never
export type Config = { readonly [K in keyof typeof settings]: Read<(typeof settings)[K]> } & {
  readonly demo: boolean
  readonly production: boolean
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] }

const secretLengthMin = 16
const keyBytes = 32

const givenFor = (setting: Setting<unknown>, env: NodeJS.ProcessEnv): string | undefined => {
  const given = [setting.name, ...setting.aliases]
    .map((name) => env[name])
    .find((value) => value !== undefined && value.trim() !== '')
  return given?.trim()
}

/** Reads all settings and says everything that is wrong at once. The only reader of the environment. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): ConfigResult {
  const problems: string[] = []
  const entries = Object.entries(settings).map(([key, setting]) => {
    try {
      return [key, setting.read(givenFor(setting, env))] as const
    } catch (error) {
      problems.push(`${setting.name} ${error instanceof Error ? error.message : String(error)}.`)
      return [key, null] as const
    }
  })
  const read = Object.fromEntries(entries) as Omit<Config, 'production' | 'demo'> & { demo: boolean | null }
  if (read.port !== null && !isPort(read.port)) problems.push('PORT must be a whole number from 0 to 65535.')
  const production = env.NODE_ENV === 'production'
  const configured = [
    read.databaseUrl,
    read.stripeSecretKey,
    read.stripeWebhookSecret,
    read.learnworldsBaseUrl,
    read.seed,
  ].some((v) => v !== null)
  const config: Config = { ...read, production, demo: read.demo ?? (!configured && !production) }
  problems.push(...unsafe(config), ...mailProblems(config))
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems }
}

/** What must not start: outside demo mode a missing or weak secret is a hole, not a default. */
function unsafe(config: Config): string[] {
  const problems: string[] = []
  const weak = (name: string, value: string | null, min = secretLengthMin) => {
    if (value !== null && value.length < min) problems.push(`${name} is too short: at least ${min} characters.`)
  }
  if (config.secret !== null && !isKey(config.secret))
    problems.push(
      'BURSAR_SECRET must be 32 random bytes in base64 or base64url; make one with: openssl rand -base64 32',
    )
  if (config.demo) {
    if (config.production)
      problems.push('BURSAR_DEMO is not possible with NODE_ENV=production: demo mode opens simulators and known keys.')
    return problems
  }
  for (const secret of webhookSecrets(config)) weak('STRIPE_WEBHOOK_SECRET', secret)
  if (config.stripeWebhookSecret === null && config.seed === null)
    problems.push(
      'STRIPE_WEBHOOK_SECRET is missing: without it nobody can tell a payment from a forgery. (Or set BURSAR_DEMO=true to try the simulated school.)',
    )
  const lw = config.learnworldsBaseUrl !== null
  if (lw && config.learnworldsClientId === null) problems.push('LEARNWORLDS_CLIENT_ID is missing.')
  if (lw && config.learnworldsClientSecret === null && config.learnworldsAccessToken === null)
    problems.push('LEARNWORLDS_CLIENT_SECRET (or LEARNWORLDS_ACCESS_TOKEN) is missing.')
  return problems
}

const isPort = (value: string): boolean => /^\d{1,5}$/.test(value) && Number(value) <= 65_535

const isKey = (value: string): boolean =>
  /^[A-Za-z0-9+/_=-]+$/.test(value) && Buffer.from(value, 'base64url').length === keyBytes

export const webhookSecrets = (config: Pick<Config, 'stripeWebhookSecret'>): readonly string[] =>
  (config.stripeWebhookSecret ?? '')
    .split(',')
    .map((s) => s.trim())
    .filter((s) => s !== '')
