import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorTable } from '@bursar/kit/errors.ts'
import { Ajv2020 } from 'ajv/dist/2020.js'
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

test('every schema of the document is a valid JSON Schema 2020-12', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  const roots = collect(document, 'schema')
  assert.ok(roots.length > 10)
  for (const schema of roots) assert.equal(ajv.validateSchema(schema as object), true, JSON.stringify(ajv.errors))
  for (const schema of Object.values(document.components.schemas ?? {})) {
    assert.equal(ajv.validateSchema(schema as object), true, JSON.stringify(ajv.errors))
  }
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
