import type { Registered } from '#action/define.ts'
import { bySlice, fieldsOf, sampleOf } from '../describe.ts'
import { curlOf } from '../reference.ts'
import type { CliDeps } from './types.ts'
import { kebab } from './words.ts'

const rows = (pairs: readonly (readonly [string, string])[], columns: number, indent = '  '): string => {
  const width = Math.max(0, ...pairs.map(([name]) => name.length))
  const room = Math.max(30, columns - width - indent.length - 2)
  const cut = (text: string) => (text.length > room ? `${text.slice(0, room - 1).trimEnd()}…` : text)
  return pairs.map(([name, text]) => `${indent}${name.padEnd(width)}  ${cut(text)}`.trimEnd()).join('\n')
}

const options: readonly (readonly [string, string])[] = [
  ['--input <json>', 'The whole input: JSON, @file, or - for standard input. Single fields go on top.'],
  ['--json', 'Print exactly one JSON object.'],
  ['--dry-run', 'Show what would happen, change nothing.'],
  ['--idempotency-key <key>', 'Repeating the command with the same key takes effect once.'],
  ['--url <address>', 'The hub. Else BURSAR_URL, else .bursar/run.json, else http://127.0.0.1:8787.'],
  ['--key <key>', 'The API key. Else BURSAR_KEY, else .bursar/run.json.'],
  ['--help', 'The fields, the scope and an example of an action.'],
]

/** Everything there is, grouped. */
export function helpAll(deps: Pick<CliDeps, 'registry' | 'version' | 'columns' | 'commands'>): string {
  const commands = Object.entries(deps.commands ?? {}).map(([name, it]) => [name, it.summary] as const)
  const own = [...commands, ['completion bash|zsh|fish', 'Print a script that completes actions and fields.'] as const]
  const width = Math.max(0, ...deps.registry.all.map((it) => it.action.name.length))
  const groups = [...bySlice(deps.registry.all)].map(([slice, actions]) => {
    const pairs = actions.map((it) => [it.action.name.padEnd(width), it.action.summary] as const)
    return `${slice}\n${rows(pairs, deps.columns)}`
  })
  return `Bursar ${deps.version}: the hub between commerce and learning

Usage
  bursar <action> [--field value …]
  bursar <action> --help

Commands
${rows(own, deps.columns)}

Options
${rows(options, Number.POSITIVE_INFINITY)}

Exit codes: 0 done, 1 refused by the hub, 2 wrong command line, 3 no answer

Actions

${groups.join('\n\n')}
`
}

/** One action: what it does, its fields as flags, what it needs, and a request to copy. */
export function helpAction(it: Registered): string {
  const { name, summary, access, effect, examples = [] } = it.action
  const fields = fieldsOf(it.inputSchema)
    .filter((field) => !field.path.includes('[]'))
    .map((field) => {
      const facts = [field.type, field.required ? 'required' : '', field.description].filter((text) => text !== '')
      return [`--${kebab(field.path)}`, facts.join('; ')] as const
    })
  const input = examples[0]?.input ?? sampleOf(it.inputSchema)
  return `${name}: ${summary}

Scope: ${access === 'public' ? 'none, no key needed' : access}. Effect: ${effect}.

Fields
${fields.length === 0 ? '  none' : rows(fields, Number.POSITIVE_INFINITY)}

Example
  bursar ${name}${Object.keys(input as object).length === 0 ? '' : ` --input '${JSON.stringify(input).replaceAll("'", `'\\''`)}'`}

The same over HTTP
  ${curlOf(it).replaceAll('\n', '\n  ')}
`
}
