import { readFileSync } from 'node:fs'
import { type FailureClass, failureClasses } from '../../packages/connectors/src/failure.ts'
import { failuresToOpen } from '../../packages/hub/src/db/breaker.ts'
import { policies } from '../../packages/hub/src/entitlements/rules.ts'
import { lengthText, table, written } from './words.ts'

/** What each class means, in the words that stand above their list. */
function meanings(): ReadonlyMap<string, string> {
  const text = readFileSync(new URL('../../packages/connectors/src/failure.ts', import.meta.url), 'utf8')
  const lines = [...text.matchAll(/^ \* (\w+) {2,}(.+)$/gm)]
  return new Map(lines.map((m) => [m[1] ?? '', m[2] ?? '']))
}

function waits(name: FailureClass): string {
  const { baseMs, capMs, attemptsMax } = policies[name]
  if (attemptsMax === 0) return 'not tried again'
  return baseMs === capMs ? lengthText(baseMs) : `${lengthText(baseMs)}, doubling up to ${lengthText(capMs)}`
}

const ends = (name: FailureClass): string => {
  const { attemptsMax } = policies[name]
  if (attemptsMax === null) return 'never'
  return attemptsMax === 0 ? 'at once' : `after ${attemptsMax} tries`
}

/** The retry policy, one row per failure class. */
export function policyMarkdown(): string {
  const text = meanings()
  const rows = failureClasses.map((name) => [
    `\`${name}\``,
    text.get(name) ?? '',
    waits(name),
    policies[name].counted ? 'yes' : 'no',
    ends(name),
  ])
  return `# What happens after a failure

${written('packages/hub/src/entitlements/rules.ts')} A connector never throws for what the other side does: it returns one of these classes, and this table is the whole policy.

${table(['class', 'meaning', 'next try', 'counts as a try', 'somebody must act'], rows)}

Waits are spread between half and the whole of what stands here, and never shorter than what the platform itself asks for.
${failuresToOpen} \`unavailable\` in a row, or one \`unauthorized\`, open the breaker of a connection: from then on nobody tries and nothing is counted until a probe gets through.
Where somebody must act the seat is \`stuck\`: it stays in the list of what is not as it should be, with its reason, until a person or the learner did their part.
`
}
