import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { allows } from './caller.ts'
import { action, defineActions, type TxAction } from './define.ts'
import { id, instant, money, secret } from './fields.ts'
import { masked, redact } from './redact.ts'
import { schemaOf } from './schema.ts'

const valid = {
  name: 'seats.open',
  summary: 'Open a seat.',
  input: z.object({ seatId: z.string() }),
  output: z.object({}),
  access: 'seats:write',
  effect: 'write' as const,
  run: async () => ({}),
}
const refusing = (change: Partial<TxAction>, reason: RegExp) =>
  assert.throws(() => defineActions([action({ ...valid, ...change } as TxAction)]), reason)

test('the registry refuses a second action of one name', () => {
  assert.throws(() => defineActions([action(valid), action(valid)]), /seats\.open is defined twice/)
})

test('the registry refuses names, summaries and scopes that break the rules', () => {
  refusing({ name: 'openSeat' }, /slice\.verb_words/)
  refusing({ name: 'seats.Open' }, /slice\.verb_words/)
  refusing({ summary: ' ' }, /summary/)
  refusing({ access: 'seats' }, /slice:read/)
  refusing({ access: 'seats:read' }, /write scope/)
  refusing({ access: 'public' }, /public/)
  refusing({ effect: 'read' }, /read scope/)
  refusing({ acrossTenants: true }, /operator/)
})

test('the registry refuses an example its own input refuses', () => {
  refusing({ examples: [{ summary: 'Wrong', input: { seat: 1 } }] }, /the example "Wrong"/)
})

test('the registry refuses an answer that is not an object', () => {
  refusing({ output: z.array(z.string()) }, /object/)
})

test('the registry refuses a secret in an answer that could not be null in a replay', () => {
  refusing({ output: z.object({ key: secret(z.string()) }) }, /nullable/)
  refusing({ output: z.object({ keys: z.array(z.object({ key: secret(z.string()) })) }) }, /nullable/)
  defineActions([action({ ...valid, output: z.object({ key: secret(z.string().nullable()) }) } as unknown as TxAction)])
})

test('scopes come from the registry, sorted and once each', () => {
  const read = action({ ...valid, name: 'seats.list', effect: 'read', access: 'seats:read' })
  const about = action({ ...valid, name: 'hub.about', effect: 'read', access: 'public' })
  assert.deepEqual(defineActions([action(valid), read, about]).scopes, ['seats:read', 'seats:write'])
})

test('a star covers every scope but that of the operator', () => {
  assert.equal(allows(['*'], 'seats:write'), true)
  assert.equal(allows(['*'], 'operator'), false)
  assert.equal(allows(['operator'], 'seats:read'), false)
  assert.equal(allows(['seats:write'], 'seats:read'), true)
  assert.equal(allows(['seats:read'], 'seats:write'), false)
})

test('fields travel as text and live as what they are', () => {
  const type = z.object({ at: instant, price: money, seat: id('ent') })
  const wire = {
    at: '2026-01-05T09:00:00.000Z',
    price: { amount: '9007199254740993', currency: 'USD', exponent: 2 },
    seat: `ent_${'0'.repeat(26)}` as const,
  }
  const inside = z.decode(type, wire)
  assert.deepEqual([inside.at, inside.price], [Date.UTC(2026, 0, 5, 9), { amount: 9007199254740993n, currency: 'USD' }])
  assert.deepEqual(z.encode(type, inside), wire)
  assert.equal(type.safeParse({ ...wire, price: { ...wire.price, exponent: 3 } }).success, false)
  assert.equal(type.safeParse({ ...wire, seat: `ord_${'0'.repeat(26)}` }).success, false)
})

test('a secret is found in lists, unions and records, and by its name where nobody marked it', () => {
  const marked = secret(z.string())
  const type = z.object({
    list: z.array(z.object({ a: marked })),
    either: z.union([z.object({ kind: z.literal('x'), b: marked }), z.object({ kind: z.literal('y'), c: z.string() })]),
    record: z.record(z.string(), marked),
    open: z.string(),
    clientSecret: z.string(),
    sendToken: z.boolean(),
  })
  const { value, secrets } = redact(
    {
      list: [{ a: 'secret-1' }],
      either: { kind: 'x', b: 'secret-2' },
      record: { any: 'secret-3' },
      open: 'seen',
      clientSecret: 'secret-4',
      sendToken: true,
      webhook: { password: 'secret-5' },
    },
    schemaOf(type),
  )
  assert.deepEqual(value, {
    list: [{ a: masked }],
    either: { kind: 'x', b: masked },
    record: { any: masked },
    open: 'seen',
    clientSecret: masked,
    sendToken: true,
    webhook: { password: masked },
  })
  assert.deepEqual(secrets.toSorted(), ['secret-1', 'secret-2', 'secret-3', 'secret-4', 'secret-5'])
})
