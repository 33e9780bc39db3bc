import { z } from 'zod'

/** JSON Schema (draft 2020-12), as far as we look into it. */
export type JsonSchema = {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly secret?: boolean
  readonly format?: string
  readonly pattern?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly prefixItems?: readonly JsonSchema[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
}

/** What travels over the wire: for a codec its JSON side. Throws when a type has no JSON form. */
export function schemaOf(type: z.ZodType): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { io: 'input' })
  if (JSON.stringify(schema).includes('"$ref":"#"')) {
    throw new Error('a schema that contains itself needs a name of its own inside the object that uses it')
  }
  return schema as JsonSchema
}

/** A schema together with every alternative it stands for. */
export function alternatives(schema: JsonSchema, root: JsonSchema): readonly JsonSchema[] {
  const name = schema.$ref?.startsWith('#/$defs/') ? schema.$ref.slice('#/$defs/'.length) : undefined
  const target = name === undefined ? undefined : root.$defs?.[name]
  const parts = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? []), ...(target ? [target] : [])]
  return [schema, ...parts.flatMap((part) => alternatives(part, root))]
}

const allowsNull = (schema: JsonSchema, root: JsonSchema): boolean =>
  alternatives(schema, root).some((s) => s.type === 'null' || (Array.isArray(s.type) && s.type.includes('null')))

/** Whether every field marked secret may be null. A replayed answer holds null there: secrets are shown once. */
export function secretsAreNullable(schema: JsonSchema): boolean {
  const visit = (at: JsonSchema, nullable: boolean, depth: number): boolean => {
    if (depth > depthMax) return true
    if (at.secret === true && !nullable) return false
    const children = [...Object.values(at.properties ?? {}), ...(at.prefixItems ?? []), ...(at.items ? [at.items] : [])]
    const parts = alternatives(at, schema).slice(1)
    return (
      parts.every((part) => visit(part, nullable || allowsNull(at, schema), depth + 1)) &&
      children.every((child) => visit(child, allowsNull(child, schema), depth + 1))
    )
  }
  return visit(schema, false, 0)
}

// Deeper than any input of ours; ends the walk through a schema that contains itself.
const depthMax = 20
