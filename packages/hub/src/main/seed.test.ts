import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, hour } from '@bursar/kit/clock.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { addSecret } from '#catalog/connections.ts'
import { paymentEndpoint } from '#catalog/endpoints.ts'
import { applySeed, seedSchema } from './seed.ts'
import { createWorld, type World } from './world.ts'

const [a, b, c] = ['whsec_aaaaaaaaaaaaaaaaaaaa', 'whsec_bbbbbbbbbbbbbbbbbbbb', 'whsec_cccccccccccccccccccc']
let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

/** A start of the program with these secrets in its settings. */
async function start(name: string, webhookSecrets: readonly string[]): Promise<void> {
  const config = { secretKey: null, livemode: false }
  const payments = [{ name, platform: 'stripe', config, webhookSecrets: [...webhookSecrets] }]
  await applySeed(world.app, seedSchema.parse({ organizations: [{ name: 'school', slug: 'school', payments }] }))
}
const idOf = async (name: string) => {
  const [row] = await world.rows<{ id: string }>(`select id from connection where name = '${name}'`)
  return row?.id ?? ''
}
/** What the door would accept now. */
async function valid(name: string): Promise<readonly string[]> {
  const endpoint = await paymentEndpoint(world.app, await idOf(name))
  const now = world.clock.now()
  return (endpoint?.secrets ?? [])
    .filter((s) => s.validFrom <= now && (s.validUntil === null || s.validUntil > now))
    .map((s) => s.secret)
    .sort()
}
const rowsOf = async (name: string) =>
  world.rows(
    `select id, valid_until, listed from connection_secret where connection_id = '${await idOf(name)}' order by id`,
  )

test('every listed secret stays valid, and a restart with the same list changes nothing', async () => {
  await start('several', [a, b])
  const rows = await rowsOf('several')
  await world.clock.advance(30 * day)
  await start('several', [b, a])
  assert.deepEqual(await rowsOf('several'), rows)
  assert.deepEqual(await valid('several'), [a, b])
})

test('a secret taken out of the list is valid for four more days, and no longer for a restart in between', async () => {
  await start('left', [a, b])
  await start('left', [b, c])
  assert.deepEqual(await valid('left'), [a, b, c])
  await world.clock.advance(3 * day)
  await start('left', [b, c])
  await world.clock.advance(day - hour)
  assert.deepEqual(await valid('left'), [a, b, c])
  await world.clock.advance(hour)
  assert.deepEqual(await valid('left'), [b, c])
})

test('a secret that is put back is valid again, before its four days are over and after them', async () => {
  await start('back', [a, b])
  await start('back', [b])
  await start('back', [a, b])
  await world.clock.advance(5 * day)
  assert.deepEqual(await valid('back'), [a, b])
  await start('back', [b])
  await world.clock.advance(5 * day)
  assert.deepEqual(await valid('back'), [b])
  await start('back', [a, b])
  assert.deepEqual(await valid('back'), [a, b])
})

test('a secret given by hand does not go because no list names it', async () => {
  await start('hand', [a])
  const ctx = systemCtx(world.app, world.organization, 'test')
  const id = await idOf('hand')
  await inTx(ctx, (tx) => addSecret(tx, ctx, id, c, 4 * day))
  await start('hand', [])
  await world.clock.advance(5 * day)
  assert.deepEqual(await valid('hand'), [c])
})

test('more than ten secrets at once are refused by name', async () => {
  const many = Array.from({ length: 11 }, (_, i) => `whsec_${String(i).padStart(20, '0')}`)
  await assert.rejects(start('many', many), /webhookSecrets/)
})
