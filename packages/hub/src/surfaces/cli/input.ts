import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { JsonSchema } from '#action/schema.ts'
import type { Given } from './args.ts'
import { isNullable, itemsOf, kindOf, stepInto } from './shape.ts'
import { type CliDeps, UsageError } from './types.ts'

type Json = Record<string, unknown>

/** The input of an action: what `--input` brings, with single fields on top. Throws `UsageError`. */
export async function buildInput(
  given: Given,
  schema: JsonSchema,
  deps: Pick<CliDeps, 'stdin' | 'cwd'>,
): Promise<Json> {
  const input = given.input === null ? {} : await readInput(given.input, deps)
  for (const field of given.fields) {
    const at = schemaAt(schema, field.path)
    const text = at.secret === true ? await secretText(field.text, deps) : field.text
    place(input, field.path, coerce(text, at, schema, field.flag), kindOf(at, schema) === 'list')
  }
  return input
}

async function readInput(source: string, deps: Pick<CliDeps, 'stdin' | 'cwd'>): Promise<Json> {
  const text = source === '-' ? await deps.stdin() : source.startsWith('@') ? await fileText(source, deps) : source
  const value = parseJson(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new UsageError(`--input ${source.length > 40 ? '' : `${source} `}is not a JSON object.`)
}

async function fileText(source: string, deps: Pick<CliDeps, 'cwd'>): Promise<string> {
  const file = path.resolve(deps.cwd, source.slice(1))
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError(
      `The file ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}.`,
    )
  }
}

// A secret on the command line stays in the shell's history; from a file or standard input it does not.
const secretText = async (text: string, deps: Pick<CliDeps, 'stdin' | 'cwd'>): Promise<string> => {
  if (text === '-') return (await deps.stdin()).trimEnd()
  return text.startsWith('@') ? (await fileText(text, deps)).trimEnd() : text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Every caller turns undefined into a sentence that names the flag.
    return undefined
  }
}

const schemaAt = (root: JsonSchema, fields: readonly string[]): JsonSchema =>
  fields.reduce<JsonSchema>((at, name) => stepInto(at, name, root)?.at ?? {}, root)

/** A text as the kind of value its field holds. */
export function coerce(text: string, schema: JsonSchema, root: JsonSchema, flag: string): unknown {
  if (text === 'null' && isNullable(schema, root)) return null
  const kind = kindOf(schema, root)
  switch (kind) {
    case 'text':
      return text
    case 'number': {
      const value = Number(text)
      if (text.trim() !== '' && Number.isFinite(value)) return value
      throw new UsageError(`--${flag} must be a number, not "${text}".`)
    }
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      throw new UsageError(`--${flag} must be true or false, not "${text}".`)
    case 'list': {
      if (text.trimStart().startsWith('[')) return jsonFor(text, flag, 'a JSON list')
      const items = itemsOf(schema, root)
      if (kindOf(items, root) === 'object') return [jsonFor(text, flag, 'a JSON object or list')]
      return text.split(',').map((part) => coerce(part.trim(), items, root, flag))
    }
    case 'object':
      return jsonFor(text, flag, `a JSON object, or one field at a time: --${flag}.<field>`)
    case 'any':
      return /^\s*[[{]/.test(text) ? jsonFor(text, flag, 'JSON') : text
    default:
      throw new Error(`no such kind: ${kind satisfies never}`)
  }
}

function jsonFor(text: string, flag: string, what: string): unknown {
  const value = parseJson(text)
  if (value === undefined) throw new UsageError(`--${flag} must be ${what}.`)
  return value
}

/** Sets a field; a list given twice grows. */
function place(input: Json, fields: readonly string[], value: unknown, isList: boolean): void {
  let at = input
  for (const name of fields.slice(0, -1)) {
    const below = Object.hasOwn(at, name) ? at[name] : undefined
    const next: Json = typeof below === 'object' && below !== null ? { ...below } : {}
    define(at, name, next)
    at = next
  }
  const last = fields.at(-1) ?? ''
  const before = Object.hasOwn(at, last) ? at[last] : undefined
  define(at, last, isList && Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value)
}

// Plain assignment would let a field named __proto__ change the object's nature.
const define = (at: Json, name: string, value: unknown): void => {
  Object.defineProperty(at, name, { value, writable: true, enumerable: true, configurable: true })
}
