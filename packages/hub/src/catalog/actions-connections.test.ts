import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hour, minute } from '@bursar/kit/clock.ts'
import { createGuard } from '@bursar/kit/http.ts'
import { asking } from '#main/asking.ts'
import { createWorld, type World } from '#main/world.ts'
import { catalogActions } from './actions.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())
const { ask, answer, codeOf, callerWith } = asking(() => world, catalogActions)

type Shown = {
  id: string
  name: string
  state: string
  config: Record<string, unknown>
  sealed: string[]
  webhookKeys: number
  health: { state: string; cause: string | null }
  budget: { requests: number; used: number } | null
}
type One = { connection: Shown }
const secretText = 'cs_very_secret_0123456789'
const school = (name: string, more: Record<string, unknown> = {}) => ({
  platform: 'learnworlds',
  name,
  config: {
    baseUrl: world.school.url,
    clientId: world.school.clientId,
    auth: { kind: 'credentials', clientSecret: secretText },
    ...more,
  },
})
const idOf = async (name: string) =>
  (await world.rows<{ id: string }>(`select id from connection where name = '${name}'`))[0]?.id ?? ''

test('a connection keeps its secrets sealed: no answer, no row in the open, no audit shows them', async () => {
  const made = await answer<One>('connections.create', { ...school('Sealed'), webhookSecret: `whs_${secretText}` })
  assert.deepEqual(made.connection.sealed, ['auth.clientSecret'])
  assert.equal(made.connection.webhookKeys, 1)
  const got = await answer<One>('connections.get', { connectionId: made.connection.id })
  const rows = await world.rows(`select config::text, encode(credentials, 'escape') as c from connection`)
  const audit = await world.rows(`select input::text from audit`)
  assert.doesNotMatch(JSON.stringify([made, got, rows, audit]), new RegExp(secretText))
})

test('a second connection of one name is refused', async () => {
  await answer('connections.create', school('Twice'))
  assert.equal(await codeOf('connections.create', school('Twice')), 'already_exists')
  const other = (await answer<One>('connections.create', school('Other'))).connection.id
  assert.equal(await codeOf('connections.update', { connectionId: other, name: 'Twice' }), 'already_exists')
})

test('wrong settings name the field and never the value', async () => {
  const refused = await ask('connections.create', school('Wrong', { clientId: 'x' }))
  assert.ok(!refused.ok)
  assert.equal(refused.code, 'input_invalid')
  assert.match(JSON.stringify(refused.body), /config\.clientId/)
  assert.doesNotMatch(JSON.stringify(refused.body), new RegExp(secretText))
  assert.equal(await codeOf('connections.create', { ...school('No'), platform: 'nowhere' }), 'input_invalid')
})

test('outside the demo only public https addresses are connected', async () => {
  const strict = { ...world, app: { ...world.app, demo: false, guard: createGuard({}) } }
  const outside = asking(() => strict, catalogActions)
  for (const baseUrl of ['http://school.example', 'https://10.0.0.1', 'https://localhost', 'https://169.254.169.254'])
    assert.equal(
      await outside.codeOf('connections.create', school('Inside', { baseUrl })),
      'address_forbidden',
      baseUrl,
    )
  assert.equal(
    await outside.codeOf('connections.create', school('Public', { baseUrl: 'https://school.example' })),
    'ok',
  )
})

test('an update keeps the secrets it does not name and replaces those it does', async () => {
  const { connection } = await answer<One>('connections.create', school('Change'))
  const next = await answer<One>('connections.update', {
    connectionId: connection.id,
    config: { requests: 10, auth: { encoding: 'json' } },
  })
  assert.deepEqual(next.connection.sealed, ['auth.clientSecret'])
  assert.equal(next.connection.config.requests, 10)
  assert.equal(next.connection.budget?.requests, 10)
})

test('a probe tells what to mend, and a good one lets frozen work go on', async () => {
  const connectionId = await idOf('Harbour School')
  const price = await world.sell('Frozen', 1000, ['food-safety'])
  world.school.faults.set([{ kind: 'status', status: 401, path: '/v2/', body: { error: 'no' } }])
  const session = await world.checkout([price])
  world.stripe.pay({ session, email: 'frozen@learner.example' })
  await world.settle()
  const frozen = await answer<One>('connections.get', { connectionId })
  assert.deepEqual([frozen.connection.health.state, frozen.connection.health.cause], ['frozen', 'unauthorized'])
  const bad = await answer<{ usable: boolean; findings: { fix: string | null }[] }>('connections.probe', {
    connectionId,
  })
  assert.equal(bad.usable, false)
  world.school.faults.clear()
  const good = await answer<{ usable: boolean; resumed: boolean }>('connections.probe', { connectionId })
  assert.deepEqual([good.usable, good.resumed], [true, true])
  await world.settle()
  assert.deepEqual(world.owned('frozen@learner.example'), ['food-safety'])
})

test('a paused connection is not called; resuming opens what waited', async () => {
  const connectionId = await idOf('Harbour School')
  await answer('connections.pause', { connectionId })
  const price = await world.sell('Paused', 1000, ['menu-pricing'])
  const session = await world.checkout([price])
  world.stripe.pay({ session, email: 'paused@learner.example' })
  world.school.clearLog()
  await world.settle(minute)
  assert.deepEqual(world.school.log(), [])
  await answer('connections.resume', { connectionId })
  await world.settle()
  assert.deepEqual(world.owned('paused@learner.example'), ['menu-pricing'])
})

test('a generated webhook secret is shown once, and the old one overlaps', async () => {
  const { connection } = await answer<One>('connections.create', {
    ...school('Rotate'),
    webhookSecret: `old_${secretText}`,
  })
  const input = { connectionId: connection.id, overlapHours: 2 }
  const first = await answer<{ secret: string | null }>('connections.rotate_secret', input, { key: 'rotate-1' })
  const again = await answer<{ secret: string | null }>('connections.rotate_secret', input, { key: 'rotate-1' })
  assert.equal(first.secret?.length, 43)
  assert.equal(again.secret, null)
  const keys = async () =>
    (await answer<One>('connections.get', { connectionId: connection.id })).connection.webhookKeys
  assert.equal(await keys(), 2)
  await world.clock.advance(2 * hour)
  assert.equal(await keys(), 1)
  assert.equal(await codeOf('connections.rotate_secret', { connectionId: await idOf('Stripe') }), 'input_invalid')
})

test('capabilities come from the connector', async () => {
  const lms = await answer<{ lms: { revoke: { modes: string[] } } }>('connections.capabilities', {
    connectionId: await idOf('Harbour School'),
  })
  assert.deepEqual(lms.lms.revoke.modes, ['remove'])
  const payment = await answer('connections.capabilities', { connectionId: await idOf('Stripe') })
  assert.deepEqual(payment, { lms: null, payment: { canRead: true } })
})

test('refusals by outcome, and another tenant sees none of it', async () => {
  const connectionId = await idOf('Harbour School')
  const other = callerWith(['*'], `org_${'1'.repeat(26)}`)
  for (const name of ['get', 'probe', 'pause', 'resume', 'update', 'rotate_secret', 'capabilities'])
    assert.equal(await codeOf(`connections.${name}`, { connectionId }, { by: other }), 'not_found', name)
  assert.deepEqual(await answer('connections.list', {}, { by: other }), { connections: [], next: null })
  assert.equal(await codeOf('connections.create', school('X'), { by: callerWith(['connections:read']) }), 'forbidden')
  assert.equal(await codeOf('connections.get', { connectionId: 'nonsense' }), 'input_invalid')
})
