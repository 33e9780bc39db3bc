import { type ErrorCode, errorTable } from '@bursar/kit/errors.ts'
import { operatorScope, personAccess } from '#action/caller.ts'
import type { Registered, Registry } from '#action/define.ts'
import type { JsonSchema } from '#action/schema.ts'
import { bySlice } from './describe.ts'
import { apiPrefix } from './prefix.ts'

type Json = Readonly<Record<string, unknown>>

export type OpenApi = {
  readonly openapi: '3.1.0'
  readonly info: Json
  readonly servers: readonly Json[]
  readonly security: readonly Json[]
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, { readonly post: Operation }>>
  readonly components: Readonly<Record<string, Json>>
}

type Operation = Json & { readonly operationId: string; readonly responses: Json }

/** The description of every action, the same for the same registry: written to docs and served. */
export function openapi(registry: Registry, version: string): OpenApi {
  const schemas: Record<string, unknown> = { Error: errorSchema }
  const paths = Object.fromEntries(
    registry.all.map((it) => [`${apiPrefix}/${it.action.name}`, { post: operation(it, schemas) }]),
  )
  return {
    openapi: '3.1.0',
    info: {
      title: 'Bursar',
      version,
      summary: 'The hub between commerce and learning.',
      description: introduction,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This hub' }],
    security: [{ apiKey: [] }],
    tags: [...bySlice(registry.all).keys()].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      parameters,
      headers,
      responses: Object.fromEntries(statuses.map((status) => [`E${status}`, errorResponse(status)])),
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'bsk_<live|demo>_<id>_<secret>',
          description: `A key belongs to one organization and holds scopes. \`*\` stands for all of them except \`${operatorScope}\`.`,
        },
      },
    },
  }
}

const introduction = `Every capability is one POST with a JSON object, answered with a JSON object.
Times are ISO 8601 in UTC. Money is whole minor units as text, with currency and exponent.
A request with an \`Idempotency-Key\` takes effect once; keys are remembered for at least 24 hours.
With \`X-Bursar-Dry-Run: true\` the answer is what would happen, and nothing does.`

const operationId = (name: string): string => name.replace(/[._]([a-z])/g, (_, letter: string) => letter.toUpperCase())

const accessText = (access: string): string =>
  access === 'public'
    ? 'No key is needed.'
    : access === personAccess
      ? 'For a signed-in person, about what is theirs.'
      : `Scope: \`${access}\`.`

const effectText = {
  read: 'Changes nothing.',
  write: 'Changes data in one transaction.',
  outside: 'Calls other systems.',
} as const

function operation(it: Registered, schemas: Record<string, unknown>): Operation {
  const { name, summary, access, effect, examples = [] } = it.action
  const id = operationId(name)
  const named = (wanted: 'input' | 'output') =>
    Object.fromEntries(
      examples
        .filter((example) => example[wanted] !== undefined)
        .map((example, i) => [`example${i + 1}`, { summary: example.summary, value: example[wanted] }]),
    )
  const content = (schema: JsonSchema, part: 'input' | 'output') => ({
    'application/json': {
      schema: hoist(schema, `${id}_${part}`, schemas),
      ...(Object.keys(named(part)).length === 0 ? {} : { examples: named(part) }),
    },
  })
  return {
    operationId: id,
    summary,
    description: `${accessText(access)} ${effectText[effect]}`,
    tags: [name.split('.')[0]],
    ...(access === 'public' ? { security: [{}] } : { security: [{ apiKey: [access] }] }),
    ...(effect === 'read'
      ? {}
      : { parameters: Object.keys(parameters).map((p) => ({ $ref: `#/components/parameters/${p}` })) }),
    requestBody: { required: (it.inputSchema.required?.length ?? 0) > 0, content: content(it.inputSchema, 'input') },
    responses: {
      200: {
        description: 'Done.',
        headers: Object.fromEntries(
          Object.keys(headers)
            .filter((header) => effect !== 'read' || header === 'X-Trace-Id')
            .map((header) => [header, { $ref: `#/components/headers/${header}` }]),
        ),
        content: content(it.outputSchema, 'output'),
      },
      ...Object.fromEntries(statusesOf(it).map((status) => [status, { $ref: `#/components/responses/E${status}` }])),
    },
    'x-bursar-scope': access,
    'x-bursar-effect': effect,
  }
}

/** Named parts of a schema move to the components, because a reference counts from the document's root. */
function hoist(schema: JsonSchema, prefix: string, schemas: Record<string, unknown>): unknown {
  const { $defs = {}, ...rest } = schema
  const rename = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(rename)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [
        key,
        key === '$ref' && typeof child === 'string'
          ? child.replace('#/$defs/', `#/components/schemas/${prefix}_`)
          : rename(child),
      ]),
    )
  }
  for (const [name, part] of Object.entries($defs)) schemas[`${prefix}_${name}`] = rename(part)
  return rename(rest)
}

const statuses = [...new Set(Object.values(errorTable).map((row) => row.status))].sort((a, b) => a - b)

const codesOf = (status: number): ErrorCode[] =>
  (Object.keys(errorTable) as ErrorCode[]).filter((code) => errorTable[code].status === status)

// Which statuses any action may answer: of the table, what belongs to links and gateways only is left out.
function statusesOf(it: Registered): number[] {
  return statuses.filter((status) => {
    if (status === 405 || status === 410) return false
    if (status === 401 || status === 403) return it.action.access !== 'public'
    return status !== 502 || it.action.effect === 'outside'
  })
}

const errorResponse = (status: number) => ({
  description: codesOf(status)
    .map((code) => `\`${code}\`: ${errorTable[code].summary}`)
    .join(' '),
  headers: {
    'X-Trace-Id': { $ref: '#/components/headers/X-Trace-Id' },
    ...(status === 429 || status === 503
      ? { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds.' } }
      : {}),
  },
  content: {
    'application/json': {
      schema: {
        allOf: [
          { $ref: '#/components/schemas/Error' },
          { properties: { error: { properties: { code: { enum: codesOf(status) } } } } },
        ],
      },
    },
  },
})

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'fix'],
      properties: {
        code: { type: 'string', enum: Object.keys(errorTable) },
        message: { type: 'string', description: 'What went wrong, for people. Switch on `code` instead.' },
        fix: { type: 'string', description: 'What to do about it.' },
        traceId: { type: 'string', description: 'Names this request in the hub’s log and audit.' },
        issues: {
          type: 'array',
          description: 'With `input_invalid`: the fields that are wrong.',
          items: {
            type: 'object',
            required: ['path', 'message'],
            properties: { path: { type: 'string' }, message: { type: 'string' } },
          },
        },
        scope: { type: 'string', description: 'With `forbidden`: the scope that is missing.' },
      },
      additionalProperties: true,
    },
  },
}

const parameters = {
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'Makes a repeated request harmless: 1 to 200 visible ASCII characters, new for each new request.',
    schema: { type: 'string', minLength: 1, maxLength: 200 },
  },
  DryRun: {
    name: 'X-Bursar-Dry-Run',
    in: 'header',
    description: 'Answers what would happen, and undoes it. `?dry_run=true` does the same.',
    schema: { type: 'string', enum: ['true', 'false'] },
  },
}

const headers = {
  'X-Trace-Id': { description: 'Names this request in the hub’s log and audit.', schema: { type: 'string' } },
  'Idempotency-Replayed': {
    description: '`true` when this is the stored answer to an earlier request. Secrets in it are null.',
    schema: { type: 'string', enum: ['true'] },
  },
  'X-Bursar-Dry-Run': { description: '`true` when nothing was changed.', schema: { type: 'string', enum: ['true'] } },
}
