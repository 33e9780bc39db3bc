import type { JsonSchema } from '#action/schema.ts'
import { propertiesOf } from '../describe.ts'
import { kindOf, stepInto } from './shape.ts'
import { UsageError } from './types.ts'
import { closest, kebab } from './words.ts'

export type Given = {
  readonly json: boolean
  readonly help: boolean
  readonly dryRun: boolean
  readonly idempotencyKey: string | null
  readonly url: string | null
  readonly key: string | null
  /** JSON text, `@file` or `-`; null when fields are given one by one. */
  readonly input: string | null
  /** Field paths with the texts given for them, in order. */
  readonly fields: readonly { readonly path: readonly string[]; readonly text: string; readonly flag: string }[]
}

const switches = ['json', 'help', 'dry-run'] as const
const valued = ['idempotency-key', 'url', 'key', 'input'] as const
type Option = (typeof switches)[number] | (typeof valued)[number]

// The hub's own options under a name that no field can take: an action may have a field called url or key.
const aliases: Readonly<Record<string, Option>> = { 'hub-url': 'url', 'hub-key': 'key', h: 'help' }

export const optionNames: readonly string[] = [...switches, ...valued, 'hub-url', 'hub-key']

/** Reads `--field value`, `--field=value`, `--flag`, `--no-flag` and the common options. Throws `UsageError`. */
export function parseArgs(argv: readonly string[], schema: JsonSchema): Given {
  const options = new Map<Option, string>()
  const fields: { path: string[]; text: string; flag: string }[] = []
  const rest = [...argv]
  for (let token = rest.shift(); token !== undefined; token = rest.shift()) {
    if (token === '-') {
      options.set('input', '-')
      continue
    }
    const [, dashes, name = '', inline] = /^(--?)([A-Za-z][\w.-]*)(?:=(.*))?$/s.exec(token) ?? []
    if (dashes === undefined)
      throw new UsageError(`"${token}" is not expected here.`, 'Fields are named: --field value.')
    const option = optionOf(name, schema)
    if (option !== null) {
      options.set(option, isSwitch(option) ? 'true' : (inline ?? valueAfter(rest, token)))
      continue
    }
    fields.push(fieldOf(schema, { name, inline, token }, rest))
  }
  const text = (option: Option) => options.get(option) ?? null
  return {
    json: options.has('json'),
    help: options.has('help'),
    dryRun: options.has('dry-run'),
    idempotencyKey: text('idempotency-key'),
    url: text('url'),
    key: text('key'),
    input: text('input'),
    fields,
  }
}

const isSwitch = (option: Option): boolean => (switches as readonly string[]).includes(option)

function optionOf(name: string, schema: JsonSchema): Option | null {
  const alias = aliases[name]
  if (alias !== undefined) return alias
  const isField = Object.keys(propertiesOf(schema, schema)).some((field) => field === name || kebab(field) === name)
  const known = [...switches, ...valued].find((option) => option === name)
  return known === undefined || isField ? null : known
}

function valueAfter(rest: string[], token: string): string {
  const value = rest.shift()
  if (value === undefined) throw new UsageError(`${token} needs a value.`)
  return value
}

type Flag = { readonly name: string; readonly inline: string | undefined; readonly token: string }

function fieldOf(schema: JsonSchema, flag: Flag, rest: string[]): { path: string[]; text: string; flag: string } {
  const found = locate(schema, flag.name)
  if (found !== null) {
    const { path, at } = found
    if (kindOf(at, schema) !== 'boolean')
      return { path, text: flag.inline ?? valueAfter(rest, flag.token), flag: flag.name }
    const next = rest[0]
    const stated = flag.inline ?? (next === 'true' || next === 'false' ? rest.shift() : 'true') ?? 'true'
    return { path, text: stated, flag: flag.name }
  }
  const negated = flag.name.startsWith('no-') ? locate(schema, flag.name.slice('no-'.length)) : null
  if (negated !== null && kindOf(negated.at, schema) === 'boolean') {
    return { path: negated.path, text: 'false', flag: flag.name }
  }
  const known = [...Object.keys(propertiesOf(schema, schema)).map(kebab), ...optionNames]
  const near = closest(flag.name, known).map((it) => `--${it}`)
  throw new UsageError(
    `There is no option --${flag.name}.`,
    near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See --help for the fields.',
  )
}

/** The field a dotted flag names, in camelCase or kebab-case. */
function locate(schema: JsonSchema, name: string): { path: string[]; at: JsonSchema } | null {
  let at = schema
  const path: string[] = []
  for (const part of name.split('.')) {
    const step = stepInto(at, part, schema)
    if (step === null) return null
    path.push(step.name)
    at = step.at
  }
  return { path, at }
}
