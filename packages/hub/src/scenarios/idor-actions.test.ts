import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Ada, adaIn } from './idor-ada-testing.ts'
import { changes, type Guarded, guardOf, leveled, missing, shapeOf } from './idor-look-testing.ts'
import { plansOf } from './idor-plans-testing.ts'
import { type Actor, bearer, createDoors, type Doors, slugA, slugB, type Told } from './idor-testing.ts'

let d: Doors
let ada: Ada
let plans: ReturnType<typeof plansOf>
before(async () => {
  d = await createDoors()
  ada = await adaIn(d)
  plans = plansOf(ada)
})
after(() => d.close())

type Answer = { readonly name: string; readonly question: string; readonly told: Told; readonly twin: Told }

/** Asks everything about Ada's things, and the same about things that do not exist. */
async function walk(actor: Actor, guard: Guarded): Promise<readonly Answer[]> {
  const rows = await guard.rows()
  const answers: Answer[] = []
  for (const [name, inputs] of Object.entries(plans))
    for (const input of inputs) {
      const question = JSON.stringify(input)
      const ask = (text: string) => d.ask({ url: `/api/v1/${name}`, json: JSON.parse(text) }, actor)
      const told = await ask(question)
      const twin = await ask(missing(question, ada))
      const where = `${actor.name} ${name} ${question}: ${told.status} ${told.text}`
      assert.ok(told.status < 500 && told.status !== 429, where)
      assert.deepEqual(guard.leaks(told, question), [], where)
      answers.push({ name, question, told, twin })
    }
  assert.deepEqual(changes(rows, await guard.rows()), [], `${actor.name} changed what is not theirs`)
  return answers
}

/** There or not, the answer is the same: in full when it is a refusal, in its fields when it is none. */
function assertAlike(answers: readonly Answer[]): void {
  for (const { name, question, told, twin } of answers) {
    const where = `${name} ${question}`
    // A place in one's own list, whoever's id it is: what comes after it differs.
    if (question.includes('"after"') && told.status === 200) continue
    // It names nothing of hers: the second time is a repetition.
    if (missing(question, ada) === question) continue
    if (told.status === 200 && twin.status === 200) assert.deepEqual(shapeOf(told.json), shapeOf(twin.json), where)
    else assert.equal(leveled(told), leveled(twin), where)
  }
}

const statuses = (answers: readonly Answer[]): ReadonlySet<number> => new Set(answers.map(({ told }) => told.status))
const codeOf = ({ json }: Told): unknown => (json.error as { code?: unknown } | undefined)?.code

test('every action has a plan by which somebody else tries it', () => {
  const names = d.registry.all.map(({ action }) => action.name).sort()
  assert.deepEqual(Object.keys(plans).sort(), names, 'add a line to idor-plans-testing.ts')
})

test('each plan is a request that its owner could make: nothing is refused for its form alone', async () => {
  const owner = { name: 'key of A', headers: bearer(d.keyA) }
  for (const [name, inputs] of Object.entries(plans))
    for (const json of inputs) {
      const told = await d.ask({ url: `/api/v1/${name}`, json, headers: { 'x-bursar-dry-run': 'true' } }, owner)
      assert.notEqual(codeOf(told), 'input_invalid', `${name}: ${told.text}`)
      const isPersons = d.registry.find(name)?.action.access === 'person'
      if (!isPersons) assert.ok(![401, 404].includes(told.status), `${name} ${JSON.stringify(json)}: ${told.text}`)
    }
})

test('what is looked for would be seen: to her own organization it is told, and a change is noticed', async () => {
  for (const who of ['neighbour', 'outsider'] as const) {
    const guard = await guardOf(d, ada, who)
    const rows = await guard.rows()
    const told = await d.ask(
      { url: '/api/v1/orders.get', json: { orderId: ada.orders.own } },
      { name: 'A', headers: bearer(d.keyA) },
    )
    assert.ok(guard.leaks(told, '').length >= 3, told.text)
    assert.deepEqual(changes(rows, await guard.rows()), [])
    await d.world.rows(
      `update "order" set updated_at = updated_at + interval '1 second' where id = '${ada.orders.own}'`,
    )
    assert.equal(changes(rows, await guard.rows()).length, 2)
  }
})

test('whoever proves nothing is told nothing: no header, garbage, an ended session, another site with her cookie', async () => {
  const guard = await guardOf(d, ada, 'outsider')
  const ended = await d.signIn('ended@alder.example')
  await d.ask({ url: '/api/sign-out', json: {} }, { name: 'ended', headers: bearer(ended.token) })
  const nobodies: readonly Actor[] = [
    { name: 'stranger', headers: {} },
    { name: 'stranger who names the organization', headers: { 'bursar-organization': slugA } },
    { name: 'garbage', headers: bearer('garbage') },
    { name: 'basic', headers: { authorization: `Basic ${Buffer.from(`${ada.ada.email}:x`).toString('base64')}` } },
    { name: 'forged session', headers: bearer(ada.ada.token.replace(/.{6}=$/, 'AAAAA=')) },
    { name: 'session without its signature', headers: bearer(ada.ada.token.split('.')[0] ?? '') },
    { name: 'ended session', headers: bearer(ended.token) },
    { name: 'ended cookie', headers: { cookie: ended.cookie, 'sec-fetch-site': 'same-origin' } },
    { name: 'her cookie from another site', headers: { cookie: ada.ada.cookie, 'sec-fetch-site': 'cross-site' } },
    { name: 'her cookie from a neighbour site', headers: { cookie: ada.ada.cookie, 'sec-fetch-site': 'same-site' } },
    { name: 'her cookie from nowhere', headers: { cookie: ada.ada.cookie } },
    { name: 'her cookie from another origin', headers: { cookie: ada.ada.cookie, origin: 'https://evil.example' } },
    { name: 'altered key', headers: bearer(`${d.keyA.slice(0, -4)}AAAA`) },
  ]
  for (const actor of nobodies) {
    const answers = await walk(actor, guard)
    assert.deepEqual([...statuses(answers)], [401], actor.name)
    assertAlike(answers)
  }
})

test('a key with another scope, and people without roles, are refused before anything is looked up', async () => {
  const guard = await guardOf(d, ada, 'neighbour')
  const few = await walk({ name: 'key with few scopes', headers: bearer(d.keyFew) }, guard)
  assert.deepEqual(
    new Set(few.filter(({ told }) => told.status === 200).map(({ name }) => name)),
    new Set(['mail.status']),
  )
  assert.deepEqual(
    new Set(few.filter(({ told }) => told.status !== 200).map(({ told }) => codeOf(told))),
    new Set(['forbidden']),
  )
  assertAlike(few)
})

test('Eve, of the same organization, gets what is hers and nothing of Ada’s', async () => {
  const guard = await guardOf(d, ada, 'neighbour')
  const answers = await walk({ name: 'Eve', headers: bearer(ada.eve.token) }, guard)
  for (const { name, told } of answers) {
    const access = d.registry.find(name)?.action.access
    if (access !== 'person') assert.equal(codeOf(told), 'forbidden', `${name}: ${told.text}`)
  }
  assertAlike(answers)
  const own = answers.find(({ name }) => name === 'purchases.list')
  assert.equal((own?.told.json.purchases as unknown[] | undefined)?.length, 1, 'she sees her own')
})

test('Mallory, of another organization, is nobody here: neither by its name, nor by its id', async () => {
  const guard = await guardOf(d, ada, 'neighbour')
  for (const organization of [slugA, d.organizationA, slugB]) {
    const answers = await walk(
      { name: `Mallory in ${organization}`, headers: bearer(ada.mallory.token, organization) },
      guard,
    )
    for (const { name, told } of answers)
      if (d.registry.find(name)?.action.access !== 'person')
        assert.equal(codeOf(told), 'forbidden', `${name}: ${told.text}`)
    assertAlike(answers)
  }
})

test('Ann’s session belongs to its organization: named in another it is refused', async () => {
  const guard = await guardOf(d, ada, 'outsider')
  await d.ask({ url: '/api/v1/me.get', json: {} }, { name: 'Ann', headers: bearer(ada.annToken) })
  const answers = await walk({ name: 'Ann in B', headers: bearer(ada.annToken, slugB) }, guard)
  assert.deepEqual([...statuses(answers)], [404])
  assertAlike(answers)
})

test('a key and a program of another organization that may do everything there can do nothing here', async () => {
  const guard = await guardOf(d, ada, 'outsider')
  const actors: readonly Actor[] = [
    { name: 'key of B', headers: { authorization: `Bearer ${d.keyB}` } },
    { name: 'key of B that names A', headers: bearer(d.keyB, slugA) },
    { name: 'program of B', headers: { authorization: `Bearer ${d.serviceB}` } },
    { name: 'program of B that names A', headers: bearer(d.serviceB, d.organizationA) },
    {
      name: 'key of B with her cookie',
      headers: { ...bearer(d.keyB), cookie: ada.ada.cookie, 'sec-fetch-site': 'same-origin' },
    },
  ]
  for (const actor of actors) {
    const answers = await walk(actor, guard)
    assertAlike(answers)
    assert.ok(statuses(answers).has(404), 'they reach the rows, and find none')
  }
})
