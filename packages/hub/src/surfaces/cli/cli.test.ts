import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { money } from '#action/fields.ts'
import { schemaOf } from '#action/schema.ts'
import { parseArgs } from './args.ts'
import { buildInput } from './input.ts'
import { show } from './show.ts'
import { closest } from './words.ts'

const schema = schemaOf(
  z.object({
    url: z.string().optional(),
    active: z.boolean().optional(),
    learner: z.object({ firstName: z.string(), age: z.number() }).optional(),
    metadata: z.record(z.string(), z.string()).optional(),
    lines: z.array(z.object({ sku: z.string() })).optional(),
    endsAt: z.string().nullable().optional(),
    count: z.union([z.number(), z.string()]).optional(),
  }),
)
const deps = { stdin: async () => '', cwd: '/' }
const inputOf = (...argv: string[]) => buildInput(parseArgs(argv, schema), schema, deps)

test('nested fields, records, lists of objects and null', async () => {
  assert.deepEqual(await inputOf('--learner.first-name', 'Ada', '--learner.age', '36'), {
    learner: { firstName: 'Ada', age: 36 },
  })
  assert.deepEqual(await inputOf('--metadata.orderId', '7', '--metadata.note', 'x=y'), {
    metadata: { orderId: '7', note: 'x=y' },
  })
  assert.deepEqual(await inputOf('--lines', '{"sku":"a"}', '--lines', '[{"sku":"b"}]'), {
    lines: [{ sku: 'a' }, { sku: 'b' }],
  })
  assert.deepEqual(await inputOf('--ends-at', 'null', '--count', '7'), { endsAt: null, count: '7' })
})

test('a field whose value begins with a dash or holds an equals sign is taken as it is', async () => {
  assert.deepEqual(await inputOf('--ends-at=--never=', '--learner.age', '-3'), {
    endsAt: '--never=',
    learner: { age: -3 },
  })
})

test('switches: alone, with a value, and negated', async () => {
  assert.deepEqual(await inputOf('--active'), { active: true })
  assert.deepEqual(await inputOf('--active', 'false'), { active: false })
  assert.deepEqual(await inputOf('--no-active'), { active: false })
})

test('a field that is called like an option is the field; the option has a second name', async () => {
  const given = parseArgs(['--url', 'https://a.example', '--hub-url', 'http://b.example'], schema)
  assert.equal(given.url, 'http://b.example')
  assert.deepEqual(await buildInput(given, schema, deps), { url: 'https://a.example' })
})

test('a record key cannot change what an object is', async () => {
  const input = await inputOf('--metadata.__proto__', 'x')
  assert.deepEqual(Object.getPrototypeOf(input.metadata), Object.prototype)
  assert.ok(Object.hasOwn(input.metadata as object, '__proto__'))
})

test('money, times, lists and strange characters are shown for people', () => {
  const price = z.encode(money, { amount: 199_900n, currency: 'USD' })
  const text = show(
    {
      price,
      paidAt: '2026-01-05T09:00:00.000Z',
      name: 'Ada\u001b[2J',
      refunded: false,
      endsAt: null,
      lines: [
        { sku: 'a', price },
        { sku: 'long', price },
      ],
      none: [],
    },
    100,
  )
  assert.equal(
    text,
    [
      'Price     $1,999.00',
      'Paid at   2026-01-05 09:00:00 UTC',
      'Name      Ada\ufffd[2J',
      'Refunded  no',
      'Ends at   –',
      'Lines',
      '  Sku   Price',
      '  a     $1,999.00',
      '  long  $1,999.00',
      'None      none',
      '',
    ].join('\n'),
  )
})

test('a table that is too wide becomes blocks', () => {
  const row = { a: 'x'.repeat(30), b: 'y'.repeat(30) }
  assert.deepEqual(show({ rows: [row, row] }, 40).split('\n').length, 1 + 2 + 1 + 2 + 1)
})

test('suggestions are close or contain the word, never arbitrary', () => {
  const known = ['keys.create', 'keys.list', 'orders.get']
  assert.deepEqual(closest('orders.gte', known), ['orders.get'])
  assert.deepEqual(closest('create', known), ['keys.create'])
  assert.deepEqual(closest('frobnicate', known), [])
})
