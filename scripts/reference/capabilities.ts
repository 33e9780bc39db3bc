import type { Capabilities } from '../../packages/connectors/src/lms/port.ts'
import { lmsRegistry } from '../../packages/connectors/src/lms/registry.ts'
import { paymentRegistry } from '../../packages/connectors/src/payments/registry.ts'
import { schemaOf } from '../../packages/hub/src/action/schema.ts'
import { fieldsOf } from '../../packages/hub/src/surfaces/describe.ts'
import { virtualClock } from '../../packages/kit/src/clock.ts'
import { seededRandom } from '../../packages/kit/src/random.ts'
import { table, written } from './words.ts'

// `describe` answers without a call, so a connector that can reach nobody is enough.
const io = {
  clock: virtualClock(),
  random: seededRandom(1),
  http: (): never => {
    throw new Error('the manual calls nobody')
  },
}

/** A configuration of each platform, only to ask what it can do. */
const samples = {
  learnworlds: {
    baseUrl: 'https://school.example',
    clientId: 'client',
    auth: { kind: 'token' as const, accessToken: 'not-a-token' },
  },
}

const steps = ['accounts', 'grant', 'revoke', 'launch', 'progress', 'certificates', 'webhooks'] as const

function extras(step: (typeof steps)[number], can: Capabilities): string {
  if (step === 'revoke' && can.revoke.modes.length > 0) return ` Modes: ${can.revoke.modes.join(', ')}.`
  if (step === 'progress') return ` Grain: ${can.progress.grain}; read: ${can.progress.access.replaceAll('_', ' ')}.`
  return step === 'webhooks' ? ` Trust: ${can.webhooks.trust.replaceAll('_', ' ')}.` : ''
}

type Entry = { readonly title: string; readonly configSchema: unknown; readonly secretFields: readonly string[] }

function settingsOf(entry: Entry): string {
  const rows = fieldsOf(schemaOf(entry.configSchema as Parameters<typeof schemaOf>[0]))
    .filter((f) => f.schema.properties === undefined)
    .map((f) => [
      `\`${f.path}\``,
      f.type,
      f.required ? 'yes' : '',
      entry.secretFields.includes(f.path) ? 'yes' : '',
      f.description,
    ])
  return table(['field', 'type', 'required', 'secret', 'meaning'], rows)
}

/** What each platform can do by itself, and what a connection to it is told. */
export function capabilitiesMarkdown(): string {
  const platforms = Object.entries(samples).map(([name, config]) => {
    const entry = lmsRegistry[name as keyof typeof lmsRegistry]
    const connector = entry.create(config, io)
    const can = connector.describe()
    const rows = steps.map((step) => [step, can[step].mode.replace('_', ' '), `${can[step].note}${extras(step, can)}`])
    const { requests, windowMs } = connector.limits
    return `## ${entry.title} (\`${name}\`)

${table(['step', 'how', 'note'], rows)}

Limit: ${requests === 0 ? 'none' : `${requests} calls in ${windowMs / 1_000} s`}, shared by all processes of the hub.

Settings of a connection:

${settingsOf(entry)}`
  })
  const providers = Object.entries(paymentRegistry).map(
    ([name, entry]) => `## ${entry.title} (\`${name}\`)\n\nSettings of a connection:\n\n${settingsOf(entry)}`,
  )
  return `# What each connector can do

${written('packages/connectors/src/*/registry.ts')} \`api\`: the hub does it. \`at launch\`: happens when the learner opens the course.
\`manual\`: a person does it and the hub keeps track. \`none\`: not possible there.

${[...platforms, ...providers].join('\n\n')}
`
}

/** For the test: every platform of the registry is asked. */
export const missingSamples = (): string[] => Object.keys(lmsRegistry).filter((name) => !(name in samples))
