import { settings } from '../../packages/hub/src/main/config.ts'
import { table, written } from './words.ts'

const kindOf = (name: string): string =>
  name.startsWith('STRIPE_') ? 'Stripe' : name.startsWith('LEARNWORLDS_') ? 'LearnWorlds' : 'The hub'

/** The manual of every setting, grouped by what it is about. */
export function settingsMarkdown(): string {
  const groups = Map.groupBy(Object.values(settings), (s) => kindOf(s.name))
  const tables = [...groups].map(([kind, list]) => {
    const rows = list.map((s) => [
      [s.name, ...s.aliases].map((n) => `\`${n}\``).join(' or '),
      s.default === null ? '' : `\`${s.default}\``,
      `${s.meaning}${s.secret ? ' Secret: never logged or shown.' : ''}`,
    ])
    return `## ${kind}\n\n${table(['name', 'default', 'meaning'], rows)}`
  })
  return `# Settings

${written('packages/hub/src/main/config.ts')} All of them are environment variables; an empty one counts as left out.
A start with wrong settings ends with exit code 2 and names everything that is wrong at once.

${tables.join('\n\n')}
`
}
