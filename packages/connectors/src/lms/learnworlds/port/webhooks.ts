import { createHash } from 'node:crypto'
import { tokenEquals } from '@bursar/kit/signature/token.ts'
import * as z from 'zod'
import { done, failed, type Outcome } from '../../../failure.ts'
import type { LmsConnector, ParsedDelivery, RawDelivery, Trust } from '../../port.ts'
import { learnWorldsFailure } from '../api/errors.ts'
import { hintsOf } from '../hints.ts'
import type { Context } from './context.ts'

const signatureHeader = 'learnworlds-webhook-signature'
const version = 'v1='

const envelopeSchema = z.looseObject({
  version: z.union([z.number(), z.string()]).optional(),
  type: z.string().min(1),
  trigger: z.string().optional(),
  school_id: z.string().optional(),
  data: z.record(z.string(), z.unknown()).catch({}),
})
type Envelope = z.output<typeof envelopeSchema>

function readEnvelope(body: Buffer): Envelope | null {
  try {
    const parsed = envelopeSchema.safeParse(JSON.parse(body.toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null // not JSON: both callers refuse the delivery
  }
}

/** The header's one value; none when it stands twice. */
function headerOf(delivery: RawDelivery, name: string): string | undefined {
  const values = Object.entries(delivery.headers).filter(([key]) => key.toLowerCase() === name)
  const [, value] = values.length === 1 ? (values[0] ?? []) : []
  return typeof value === 'string' ? value : undefined
}

export function webhooksPort(context: Pick<Context, 'settings'>): NonNullable<LmsConnector['webhooks']> {
  const { clientId, flags } = context.settings

  /** The header holds a fixed token, not a signature: it proves the sender, never the body, and can be replayed. */
  const authenticate = (delivery: RawDelivery, secrets: readonly string[]): Trust => {
    const header = headerOf(delivery, signatureHeader)
    const token = header?.startsWith(version) ? header.slice(version.length) : undefined
    // A person may paste the token into the settings with its prefix.
    const known = secrets.map((secret) => (secret.startsWith(version) ? secret.slice(version.length) : secret))
    if (!tokenEquals(token, known)) return 'refused'
    if (!flags.checkSchoolId) return 'shared_secret'
    return readEnvelope(delivery.body)?.school_id === clientId ? 'shared_secret' : 'refused'
  }

  /** There is no event id, so the body's hash is what tells two deliveries apart. */
  const parse = (delivery: RawDelivery): Outcome<ParsedDelivery> => {
    const envelope = readEnvelope(delivery.body)
    if (envelope === null)
      return failed(learnWorldsFailure('invalid', 'webhook_unreadable', 'The delivery is not a LearnWorlds event.'))
    const dedupeKey = createHash('sha256').update(delivery.body).digest('hex')
    return done({ type: envelope.type, dedupeKey, hints: hintsOf(envelope.type, envelope.data) })
  }

  return { authenticate, parse }
}
