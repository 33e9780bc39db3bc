import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { defineActions, type Registered } from '#action/define.ts'
import type { JsonSchema } from '#action/schema.ts'
import { allActions } from './actions.ts'
import { asking } from './asking.ts'
import { buildIdentity, type Identity } from './identity.ts'
import { createWorld, type World } from './world.ts'

let world: World
let identity: Identity
before(async () => {
  world = await createWorld()
  identity = buildIdentity(world.app, {
    databaseUrl: world.database.url,
    secret: 'a secret for this test alone 0123456789',
    scopes: registry.scopes,
  })
})
after(async () => {
  await identity.close()
  await world.close()
})
const registry = defineActions(allActions)
const { ask, answer, callerWith, stranger } = asking(() => world, allActions)

/** The ids of the first organization by what a field is called. */
type Known = Readonly<Record<string, string>>

// What the generator cannot guess from a schema: texts with a meaning of their own.
const values: Readonly<Record<string, unknown>> = {
  email: 'owned@learner.example',
  platform: 'learnworlds',
  slug: 'made-by-stranger',
  scopes: ['orders:read'],
  currency: 'USD',
  successUrl: 'https://shop.example/a',
  cancelUrl: 'https://shop.example/b',
  config: { requests: 1 },
  username: 'someone',
  origin: 'https://shop.example',
  issuer: 'https://issuer.example',
  redirectUri: 'https://school.example/callback',
  clientId: 'cli_1',
}

function sample(name: string, schema: JsonSchema, known: Known): unknown {
  if (known[name] !== undefined) return known[name]
  if (values[name] !== undefined) return values[name]
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  const [first] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []
  if (first !== undefined) return sample(name, first, known)
  switch (schema.type) {
    case 'object':
      return object(schema, known)
    case 'array':
      return [sample(name.replace(/s$/, ''), schema.items ?? {}, known)]
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return false
    default:
      if (schema.format === 'date-time') return '2030-01-05T09:00:00.000Z'
      return schema.pattern?.includes('\\d') ? '1' : 'x'.repeat(Math.max(schema.minLength ?? 0, 3))
  }
}

/** What is required, and every id we own besides: the most an attacker could name. */
const object = (schema: JsonSchema, known: Known): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(schema.properties ?? {})
      .filter(
        ([name]) => (schema.required ?? []).includes(name) || known[name] !== undefined || values[name] !== undefined,
      )
      .map(([name, child]) => [name, sample(name, child, known)]),
  )

/** With all ids at once, and with each alone: some actions take exactly one. */
function inputsFor(it: Registered, known: Known): Record<string, unknown>[] {
  const all = object(it.inputSchema, known)
  const required = new Set(it.inputSchema.required ?? [])
  const base = Object.fromEntries(Object.entries(all).filter(([name]) => required.has(name)))
  const optional = Object.keys(all).filter((name) => !required.has(name))
  return [all, base, ...optional.map((name) => ({ ...base, [name]: all[name] }))]
}

async function ownedIds(): Promise<Known> {
  const price = await world.sell('Owned', 1000, ['sourdough-basics'])
  const { id: unmapped } = world.stripe.addPrice({ name: 'Unmapped', amount: 500 })
  const session = await world.checkout([price, unmapped])
  world.stripe.pay({ session, email: 'owned@learner.example' })
  await world.settle()
  const [paid] = await world.rows<{ payment_id: string }>('select payment_id from "order"')
  world.stripe.refund({ payment_intent: paid?.payment_id ?? '', amount: 100 })
  await world.settle()
  const { key } = await answer<{ key: { id: string } }>('keys.create', { name: 'Owned', scopes: ['orders:read'] })
  const one = async (from: string): Promise<string> =>
    (await world.rows<{ id: string }>(`select id from ${from} order by id limit 1`))[0]?.id ?? ''
  const courseId = await one('course')
  const personId = await one('person')
  const { request } = await answer<{ request: { id: string } }>('people.export', { personId, reason: 'a letter' })
  const { id: issuerId } = await answer<{ id: string }>('issuers.add', {
    issuer: 'https://owner.example',
    name: 'Owner account',
    accessTokens: true,
    audiences: ['https://api.example'],
  })
  await answer('roles.grant', { personId, role: 'support', reason: 'helps out' })
  await answer('people.change_email', { personId, email: values.email, reason: 'as it is' })
  return {
    eventId: await one('inbound_event'),
    connectionId: await one(`connection where category = 'payment'`),
    courseId,
    productId: await one('product'),
    priceId: price,
    orderId: await one('"order"'),
    lineId: await one('order_line'),
    refundId: await one('refund'),
    personId,
    fromPersonId: personId,
    requestId: request.id,
    issuerId,
    caseId: await ownedCase(personId),
    entitlementId: await one('entitlement'),
    enrollmentId: await one('enrollment'),
    externalId: session,
    keyId: key.id,
  }
}

/** A second claimant of an order, as a row: how it comes about is told elsewhere. */
async function ownedCase(personId: string): Promise<string> {
  const id = world.app.ids.next('cas')
  await world.rows(`
    insert into access_case (id, organization_id, order_id, kind, claimant, presented, opened_at, last_at)
    select '${id}', organization_id, id, 'second_claimant', '${personId}', '{}', created_at, created_at from "order" limit 1`)
  return id
}

const tables = [
  'claim',
  'claim_link',
  'access_case',
  'seat_assignment',
  'connection',
  'connection_secret',
  'course',
  'product',
  'product_version',
  'price',
  'metadata_map',
  '"order"',
  'order_line',
  'refund',
  'refund_request',
  'person',
  'identity',
  'lms_account',
  'entitlement',
  'enrollment',
  'launch_link',
  'alert',
  'inbound_event',
  'api_key',
  'timeline_entry',
  'organization',
  'role_grant',
  'issuer',
  'organization_origin',
  'person_merge',
  'account_email',
  'privacy_request',
  'privacy_step',
]

async function snapshot(): Promise<string> {
  const parts: string[] = []
  for (const table of tables) {
    const column = table === 'organization' ? 'id' : 'organization_id'
    const rows = await world.rows<{ text: string }>(
      `select t::text as text from ${table} t where ${column} = '${world.organization}' order by 1`,
    )
    parts.push(`${table}\n${rows.map((r) => r.text).join('\n')}`)
  }
  return parts.join('\n')
}

test('two organizations cannot see or touch each other through any action', async () => {
  const known = await ownedIds()
  for (const [name, id] of Object.entries(known)) assert.notEqual(id, '', `the test owns no ${name}`)
  const other = callerWith(['*'], await stranger())
  await world.settle()
  const before = await snapshot()
  const calls = { asked: 0, understood: new Set<string>() }
  const ids = [world.organization, ...Object.values(known).filter((id) => id !== known.priceId)]
  // Reads first: what a stranger writes is theirs to see, under the same address too.
  const reads = registry.all.filter((it) => it.action.effect === 'read')
  const writes = registry.all.filter((it) => it.action.effect !== 'read')
  for (const it of [...reads, ...writes]) {
    if (it.action.access === 'operator') continue
    for (const input of inputsFor(it, known)) {
      const result = await ask(it.action.name, input, { by: other })
      calls.asked += 1
      const text = JSON.stringify(result.ok ? result.output : result.code)
      assert.ok(result.ok || result.code !== 'internal', `${it.action.name} ${JSON.stringify(input)} fails inside`)
      if (result.ok || result.code !== 'input_invalid') calls.understood.add(it.action.name)
      for (const id of ids) assert.ok(!text.includes(id), `${it.action.name} shows ${id} to a stranger: ${text}`)
      assert.ok(!/owned@learner/.test(text) || it.action.effect !== 'read', `${it.action.name} shows a person`)
    }
  }
  await world.settle()
  assert.equal(await snapshot(), before)
  const mute = registry.all.filter((it) => it.action.access !== 'operator' && !calls.understood.has(it.action.name))
  assert.deepEqual(
    mute.map((it) => it.action.name),
    ['connections.create'],
    'the test makes no valid input for these',
  )
})

test('operator actions are closed to every key of an organization', async () => {
  for (const it of registry.all.filter((r) => r.action.access === 'operator')) {
    const result = await ask(it.action.name, {})
    assert.equal(result.ok ? 'ok' : result.code, 'forbidden', it.action.name)
  }
})

test('what is for a learner’s own browser is kept from agents', () => {
  const hidden = registry.all.filter((it) => it.action.hidden === 'agents').map((it) => it.action.name)
  assert.deepEqual(hidden, ['launch.mint_link', 'launch.mint_own', 'me.download_export', 'people.download_export'])
})
