import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorTable } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Action, action, defineActions } from '#action/define.ts'
import { identityActions } from '#identity/actions.ts'
import { docsPage } from './docs/page.ts'
import { openapi } from './openapi.ts'
import { actionsMarkdown, errorsMarkdown, reference } from './reference.ts'

type Tree = z.infer<typeof tree>
const tree = z.object({
  name: z.string(),
  get children() {
    return z.array(tree)
  },
})

const extra: readonly Action[] = [
  action({
    name: 'trees.plant',
    summary: 'Plant <b>a tree</b> | with pipes.',
    input: z.object({ tree, note: z.string().describe('What for | why').optional() }),
    output: z.object({ tree }),
    access: 'trees:write',
    effect: 'outside',
    examples: [{ summary: 'One leaf', input: { tree: { name: 'oak', children: [] } as Tree } }],
    run: async (_, input) => ({ tree: input.tree }),
  }),
  action({
    name: 'hub.hello',
    summary: 'Greet.',
    input: z.object({}),
    output: z.object({}),
    access: 'public',
    effect: 'read',
    run: async () => ({}),
  }),
]
const registry = defineActions([...extra, ...identityActions])
const document = openapi(registry, '1.2.3')

/** Every value under a key of that name, wherever it stands. */
function collect(value: unknown, key: string): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([k, child]) => [...(k === key ? [child] : []), ...collect(child, key)])
}

test('every reference of the document leads somewhere', () => {
  const references = collect(document, '$ref')
  assert.ok(references.length > 20)
  for (const reference of references) {
    assert.ok(typeof reference === 'string' && reference.startsWith('#/'), String(reference))
    let at: unknown = document
    for (const part of reference.slice(2).split('/')) at = (at as Record<string, unknown>)[part]
    assert.ok(at !== undefined, reference)
  }
})

const typeNames = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean', 'null'])

/** Whether every keyword that we write has the shape JSON Schema 2020-12 gives it. */
function checkSchema(schema: unknown, where: string): void {
  assert.ok(typeof schema === 'object' && schema !== null && !Array.isArray(schema), where)
  const it = schema as Record<string, unknown>
  for (const key of ['properties', '$defs', 'patternProperties']) {
    for (const [name, child] of Object.entries(it[key] ?? {})) checkSchema(child, `${where}/${key}/${name}`)
  }
  for (const key of ['anyOf', 'oneOf', 'allOf', 'prefixItems']) {
    for (const [i, child] of ((it[key] ?? []) as unknown[]).entries()) checkSchema(child, `${where}/${key}/${i}`)
  }
  for (const key of ['items', 'additionalProperties', 'propertyNames', 'not']) {
    if (it[key] !== undefined && typeof it[key] !== 'boolean') checkSchema(it[key], `${where}/${key}`)
  }
  for (const type of [it.type ?? []].flat()) assert.ok(typeNames.has(String(type)), `${where}: ${type}`)
  for (const name of (it.required ?? []) as unknown[]) assert.equal(typeof name, 'string', where)
  if (it.enum !== undefined) assert.ok(Array.isArray(it.enum) && it.enum.length > 0, where)
  if (it.pattern !== undefined) assert.ok(new RegExp(String(it.pattern), 'u'), where)
  if (it.$ref !== undefined) assert.match(String(it.$ref), /^#\/components\/schemas\//, where)
  for (const key of ['$defs', '$schema', '$id']) assert.equal(it[key], undefined, `${where}: ${key}`)
}

test('every schema of the document is a valid JSON Schema 2020-12 whose references count from the document', () => {
  const roots = collect(document, 'schema')
  assert.ok(roots.length > 10)
  for (const [i, schema] of roots.entries()) checkSchema(schema, `schema ${i}`)
  for (const [name, schema] of Object.entries(document.components.schemas ?? {})) checkSchema(schema, name)
})

test('every action is one operation with its scope, its errors and a name of its own', () => {
  assert.deepEqual(
    Object.keys(document.paths),
    registry.all.map((it) => `/api/v1/${it.action.name}`),
  )
  const operations = Object.values(document.paths).map((path) => path.post)
  assert.equal(new Set(operations.map((op) => op.operationId)).size, operations.length)
  const plant = document.paths['/api/v1/trees.plant']?.post
  assert.deepEqual(plant?.security, [{ apiKey: ['trees:write'] }])
  assert.deepEqual(Object.keys(plant?.responses ?? {}), [
    ...['200', '400', '401', '403', '404', '409', '413', '415', '422', '429', '500', '502', '503'],
  ])
  const hello = document.paths['/api/v1/hub.hello']?.post
  assert.deepEqual(hello?.security, [{}])
  assert.ok(!('401' in (hello?.responses ?? {})))
  assert.equal(hello?.parameters, undefined)
})

test('the document is the same for the same actions in another order', () => {
  const shuffled = defineActions([...identityActions.toReversed(), ...extra.toReversed()])
  assert.equal(JSON.stringify(openapi(shuffled, '1.2.3')), JSON.stringify(document))
})

test('the error page, the document and the table list the same codes', () => {
  const codes = Object.keys(errorTable)
  const written = [...errorsMarkdown().matchAll(/^\| `([a-z_]+)` \| (\d+) \|/gm)].map((m) => [m[1], Number(m[2])])
  assert.deepEqual(
    written,
    Object.entries(errorTable).map(([code, row]) => [code, row.status]),
  )
  const responses = Object.values(document.components.responses ?? {}).flatMap((response) =>
    collect(response, 'enum').flat(),
  )
  assert.deepEqual(responses.toSorted(), codes.toSorted())
})

test('the reference names every action and field, and keeps its tables whole', () => {
  const text = actionsMarkdown(registry)
  for (const it of registry.all) assert.ok(text.includes(`### \`${it.action.name}\``), it.action.name)
  assert.match(text, /\| `note` \| text \| {2}\| What for \\\| why \|/)
  assert.match(text, /\| `tree\.children` \| list of object \| yes \|/)
  assert.deepEqual(Object.keys(reference(registry, '1')), ['openapi.json', 'actions.md', 'errors.md'])
})

test('the page to read it has no inline script, escapes what it shows, and labels every field', () => {
  const html = docsPage(registry, { url: 'http://127.0.0.1:1', version: '1' })
  assert.ok(!html.includes('<b>a tree</b>'))
  assert.doesNotMatch(html, /<script(?![^>]*src=)|style=|\son[a-z]+=|https?:\/\/(?!127)/)
  for (const [, control] of html.matchAll(/<(?:textarea|input)[^>]* id="([^"]+)"/g)) {
    assert.ok(html.includes(`for="${control}"`), control)
  }
})
