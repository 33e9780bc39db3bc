import type { z } from 'zod'
import type { Tx } from '#db/database.ts'
import { isScope, operatorScope, personAccess } from './caller.ts'
import type { Ctx } from './context.ts'
import { type JsonSchema, schemaOf, secretsAreNullable } from './schema.ts'

/**
 * What a read or write sees: the context, the one transaction that the wrapper opened in the caller's tenant, and what
 * the caller may do, for actions that pass rights on.
 */
export type ActionCtx = OutsideCtx & { readonly tx: Tx }

/** The same for an action that calls other systems and opens its own transactions. */
export type OutsideCtx = Ctx & { readonly scopes: readonly string[] }

type Common<I extends z.ZodObject, O extends z.ZodType> = {
  /** `slice.verb_words`; every door uses it. */
  readonly name: string
  /** One sentence in the imperative: what it does and what it does not. */
  readonly summary: string
  /** Unknown fields are refused. Mark what must never be seen again with `.meta({ secret: true })`. */
  readonly input: I
  /** What the caller gets. Codecs (fields.ts) let `run` return instants and bigints. */
  readonly output: O
  /**
   * The scope a caller must hold; `person`: any signed-in person, for what is theirs (`ctx.user`); `public`: reads
   * without tenant data that need no key.
   */
  readonly access: string
  /** A person needs a second factor of the last ten minutes. Keys are not asked: they are a secret of their own. */
  readonly secondFactor?: boolean
  readonly examples?: readonly { readonly summary: string; readonly input: z.input<I>; readonly output?: z.input<O> }[]
  /** A read that shows personal data or money is written to the audit as well. */
  readonly sensitive?: boolean
  /** `agents`: its answer is for a person's own browser; doors that serve agents leave it out. */
  readonly hidden?: 'agents'
  /** Opens the transaction over all tenants. For `operator` actions only. */
  readonly acrossTenants?: boolean
}

/** Everything happens in one transaction of the wrapper; a dry run rolls it back. Reads cannot write. */
export type TxAction<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> = Common<I, O> & {
  readonly effect: 'read' | 'write'
  run(ctx: ActionCtx, input: z.output<I>): Promise<z.output<O>>
}

/**
 * Calls other systems, so it opens its own short transactions around the calls and must be safe to repeat. When
 * `ctx.dryRun` it only tells what it would do.
 */
export type OutsideAction<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> = Common<I, O> & {
  readonly effect: 'outside'
  run(ctx: OutsideCtx, input: z.output<I>): Promise<z.output<O>>
}

export type Action<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> =
  | TxAction<I, O>
  | OutsideAction<I, O>

/** Defines one capability. REST, OpenAPI, the command line and the docs follow from it. Actions never call each other. */
export function action<I extends z.ZodObject, O extends z.ZodType>(definition: TxAction<I, O>): TxAction<I, O>
export function action<I extends z.ZodObject, O extends z.ZodType>(definition: OutsideAction<I, O>): OutsideAction<I, O>
export function action(definition: Action): Action {
  return definition
}

/** An action as the doors see it: its schemas as JSON Schema, its input strict. */
export type Registered = {
  readonly action: Action
  readonly input: z.ZodObject
  readonly inputSchema: JsonSchema
  readonly outputSchema: JsonSchema
}

export type Registry = {
  /** In the order of their names. */
  readonly all: readonly Registered[]
  find(name: string): Registered | undefined
  /** Every scope some action asks for, sorted. */
  readonly scopes: readonly string[]
}

const namePattern = /^[a-z][a-z_]*\.[a-z][a-z_]*$/
const summaryMax = 300

// So that an answer can grow by a field without breaking anyone.
const isObject = (schema: JsonSchema): boolean =>
  schema.type === 'object' || (schema.anyOf ?? schema.oneOf ?? []).some((part) => part.type === 'object')

function problemWith(it: Registered): string | null {
  const { name, summary, access, effect, acrossTenants, examples = [] } = it.action
  if (!namePattern.test(name)) return 'is not named slice.verb_words'
  if (summary.trim() === '' || summary.length > summaryMax) return `needs a summary of at most ${summaryMax} characters`
  if (access === 'public' ? effect !== 'read' : access !== personAccess && !isScope(access)) {
    return 'asks for neither slice:read, slice:write, operator, person nor (for reads) public'
  }
  if (effect === 'read' && access.endsWith(':write')) return 'reads, so it asks for a read scope'
  if (effect === 'write' && access.endsWith(':read')) return 'writes, so it asks for a write scope'
  if (acrossTenants === true && access !== operatorScope) return 'crosses tenants, so it asks for the operator scope'
  if (effect !== 'read' && !secretsAreNullable(it.outputSchema)) {
    return 'returns a secret, which a replay cannot: make that field nullable'
  }
  if (!isObject(it.outputSchema)) return 'answers with something else than an object'
  for (const example of examples) {
    const parsed = it.input.safeParse(example.input)
    if (!parsed.success) return `has the example "${example.summary}" that its input refuses: ${parsed.error.message}`
  }
  return null
}

/** The list of all capabilities. Throws when one is named twice or breaks a rule of naming: that is a bug. */
export function defineActions(actions: readonly Action[]): Registry {
  const byName = new Map<string, Registered>()
  for (const it of actions) {
    const registered: Registered = {
      action: it,
      input: it.input.strict(),
      inputSchema: schemaOf(it.input.strict()),
      outputSchema: schemaOf(it.output),
    }
    const problem = byName.has(it.name) ? 'is defined twice' : problemWith(registered)
    if (problem !== null) throw new Error(`action ${it.name} ${problem}`)
    byName.set(it.name, registered)
  }
  const all = [...byName.values()].sort((a, b) => (a.action.name < b.action.name ? -1 : 1))
  const scopes = new Set(all.map((it) => it.action.access).filter(isScope))
  return { all, find: (name) => byName.get(name), scopes: [...scopes].sort() }
}
