import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { coursePage, pricePage, productPage } from '#catalog/list.ts'
import { connectionPage } from '#catalog/show.ts'
import type { Tx } from '#db/database.ts'
import type { Statement } from '#db/sql.ts'
import { alertPage } from '#entitlements/alerts.ts'
import { failureGroups } from '#entitlements/failures.ts'
import { entitlementsOf, seats } from '#entitlements/find.ts'
import { createGround, type Ground } from '#events/testing.ts'
import { waitingFor } from '#orders/claim-mailbox.ts'
import { issueGroups, ordersBy } from '#orders/list.ts'
import { purchasesOf, seatsOfPerson } from '#orders/own.ts'
import { entriesOf, ordersAbout } from './store.ts'

const tenants = 5
const rowsMax = 20_000
let ground: Ground
before(async () => {
  ground = await createGround()
  await fill()
  await ground.rows('analyze')
})
after(() => ground.close())

const id = (prefix: string) => `'${prefix}_' || lpad(n::text, 26, '0')`
const tenant = `(array(select id from organization order by id))[1 + n % ${tenants}]`
const series = (count: number) => `from generate_series(1, ${count}) n`

/** Tens of thousands of rows over five tenants, a fifth of them ours. */
async function fill(): Promise<void> {
  const statements = [
    `insert into organization (id, name, slug, created_at)
     select ${id('org')}, 'T' || n, 't' || n, now() from generate_series(1, ${tenants - 2}) n`,
    `insert into connection (id, organization_id, category, platform, name, config, created_at, updated_at)
     select ${id('con')}, ${tenant}, 'lms', 'learnworlds', 'c' || n, '{}', now(), now() ${series(4_000)}`,
    `insert into person (id, organization_id, email, created_at)
     select ${id('prs')}, ${tenant}, 'p' || n || '@x.example', now() ${series(rowsMax)}`,
    `insert into course (id, organization_id, connection_id, kind, external_id, title, created_at)
     select ${id('crs')}, ${tenant}, 'con_' || lpad((1 + n % 4000)::text, 26, '0'), 'course', 'c' || n, 'C' || n, now() ${series(rowsMax)}`,
    `insert into product (id, organization_id, name, created_at) select ${id('prd')}, ${tenant}, 'P' || n, now() ${series(rowsMax)}`,
    `insert into product_version (id, organization_id, product_id, version, course_ids, created_at)
     select ${id('pvr')}, ${tenant}, ${id('prd')}, 1, '{}', now() ${series(rowsMax)}`,
    `insert into price (id, organization_id, connection_id, product_id, external_id, created_at)
     select ${id('pri')}, ${tenant}, 'con_' || lpad((1 + n % 4000)::text, 26, '0'), ${id('prd')}, 'x' || n, now() ${series(rowsMax)}`,
    `insert into "order" (id, organization_id, connection_id, checkout_id, state, issue, email, livemode, created_at, updated_at)
     select ${id('ord')}, ${tenant}, 'con_' || lpad((1 + n % 4000)::text, 26, '0'), 'cs_' || n,
       case when n % 500 = 0 then 'disputed' else 'paid' end, case when n % 700 = 0 then 'price_unknown' end,
       'p' || n || '@x.example', false, now(), now() ${series(rowsMax)}`,
    `insert into lms_account (id, organization_id, connection_id, person_id, email, created_at)
     select ${id('acc')}, ${tenant}, 'con_' || lpad((1 + n % 4000)::text, 26, '0'), ${id('prs')}, 'p' || n, now() ${series(rowsMax)}`,
    `insert into entitlement (id, organization_id, person_id, course_id, source, source_id, order_id, starts_at, reason, created_at, updated_at)
     select ${id('ent')}, ${tenant}, ${id('prs')}, ${id('crs')}, 'order_line', 'l' || n, ${id('ord')}, now(), 'r', now(), now() ${series(rowsMax)}`,
    `insert into enrollment (id, organization_id, person_id, course_id, connection_id, account_id, wanted, failure_class, failure_code, created_at, updated_at)
     select ${id('enr')}, ${tenant}, ${id('prs')}, ${id('crs')}, 'con_' || lpad((1 + n % 4000)::text, 26, '0'), ${id('acc')}, 'granted',
       case when n % 300 = 0 then 'invalid' end, case when n % 300 = 0 then 'x' end, now(), now() ${series(rowsMax)}`,
    `insert into timeline_entry (id, organization_id, at, kind, trace_id, order_id, person_id, enrollment_id, data)
     select ${id('tle')}, ${tenant}, now(), 'note', 't' || n, ${id('ord')}, ${id('prs')}, ${id('enr')}, '{}' ${series(rowsMax)}`,
    `insert into alert (id, organization_id, key, kind, connection_id, failure_class, failure_code, message, count, first_seen, last_seen)
     select ${id('alr')}, ${tenant}, 'k' || n, 'stuck', 'con_' || lpad((1 + n % 4000)::text, 26, '0'), 'invalid', 'x', 'm', 1, now(), now() ${series(rowsMax)}`,
  ]
  // Foreign keys are not what is looked at here, and checking them takes most of the time.
  await ground.rows(`set session_replication_role = replica; ${statements.join(';\n')}; reset session_replication_role`)
}

/** How PostgreSQL would run the statement that `list` sends, as this tenant, with the plan that knows no values. */
async function planOf(list: (tx: Tx) => Promise<unknown>): Promise<string> {
  const sent: Statement[] = []
  const many = (statement: Statement) => {
    sent.push(statement)
    return Promise.resolve([])
  }
  await list({ now: ground.clock.now(), many } as unknown as Tx)
  const [statement] = sent
  assert.ok(statement !== undefined)
  return ground.app.db.tx({ organization: ground.organization }, async (tx) => {
    const { text, values } = statement
    const rows = await tx.many<{ 'QUERY PLAN': string }>({ name: '', text: `explain ${text}`, values })
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  })
}

// Few rows, or none in this test: reading them whole is right.
const small = 'connection|organization|order_line|refund|dispute|invoice|subscription|inbound_event'

/** No table of this many rows is read whole, and the index named is the way in. */
async function isServed(index: RegExp, list: (tx: Tx) => Promise<unknown>): Promise<void> {
  const plan = await planOf(list)
  assert.match(plan, index, plan)
  assert.doesNotMatch(plan, new RegExp(`Seq Scan on (?!${small})`), plan)
}

const page = { limit: 51 }
const last = (prefix: string) => `${prefix}_${'10001'.padStart(26, '0')}`

test('orders are listed by an index: all of a tenant, a page further on, by state, by address, and the open questions', async () => {
  await isServed(/order_by_organization|order_by_state/, (tx) => ordersBy(tx, page))
  await isServed(/order_by_organization|order_pkey/, (tx) => ordersBy(tx, { ...page, after: last('ord') }))
  await isServed(/order_by_state/, (tx) => ordersBy(tx, { ...page, state: 'disputed' }))
  await isServed(/order_by_email/, (tx) => ordersBy(tx, { ...page, email: 'p20@x.example' }))
  await isServed(/order_pkey/, (tx) => ordersBy(tx, { ...page, id: last('ord') }))
  await isServed(/order_with_issue/, (tx) => issueGroups(tx))
})

test('enrollments are listed by an index: all of a tenant, by address, those that fail, and equal causes together', async () => {
  await isServed(/enrollment_by_organization/, (tx) => seats(tx, page))
  await isServed(/person_by_email/, (tx) => seats(tx, { ...page, email: 'p20@x.example' }))
  await isServed(/enrollment_failed/, (tx) => seats(tx, { ...page, failureClass: 'invalid' }))
  await isServed(/enrollment_pkey/, (tx) => seats(tx, { id: last('enr') }))
  await isServed(/enrollment_failed/, (tx) => failureGroups(tx, null))
  await isServed(/alert_open|alert_newest/, (tx) => alertPage(tx, { closed: false, ...page }))
})

test('entitlements are listed by an index: all of a tenant, by learner, by order, by course and by address', async () => {
  await isServed(/entitlement_by_organization/, (tx) => entitlementsOf(tx, page))
  await isServed(/entitlement_by_organization|entitlement_pkey/, (tx) =>
    entitlementsOf(tx, { ...page, after: last('ent') }),
  )
  await isServed(/entitlement_by_seat|entitlement_source/, (tx) => entitlementsOf(tx, { personId: last('prs') }))
  await isServed(/entitlement_by_order/, (tx) => entitlementsOf(tx, { orderId: last('ord') }))
  await isServed(/person_by_email/, (tx) => entitlementsOf(tx, { email: 'p20@x.example' }))
})

test('the catalogue is listed by an index', async () => {
  await isServed(/connection_organization_id_category_name_key/, (tx) =>
    connectionPage(tx, { category: null, after: null, limit: 51 }),
  )
  await isServed(/course_by_organization/, (tx) => coursePage(tx, page))
  await isServed(/product_by_organization/, (tx) => productPage(tx, page))
  await isServed(/price_by_organization/, (tx) => pricePage(tx, page))
  await isServed(/price_by_product/, (tx) => pricePage(tx, { ...page, productId: last('prd') }))
})

test('the story of an order is read by indexes, whichever name it is asked by', async () => {
  const none = { orderId: null, enrollmentId: null, email: null, external: null }
  await isServed(/order_by_checkout/, (tx) => ordersAbout(tx, { ...none, external: 'cs_77' }))
  await isServed(/order_by_email/, (tx) => ordersAbout(tx, { ...none, email: 'p20@x.example' }))
  const of = { orders: [last('ord')], enrollments: [last('enr')], people: [last('prs')] }
  await isServed(/timeline_by_order/, (tx) => entriesOf(tx, of))
})

test('what a person bought and learns is found by that person, also in a large organization', async () => {
  await isServed(/order_by_person/, (tx) => purchasesOf(tx, last('prs'), { after: undefined, limit: 51 }))
  await isServed(/order_by_email[\s\S]*order_unclaimed_by_learner/, (tx) => waitingFor(tx, 'p20@x.example'))
  await isServed(/enrollment_person_id/, (tx) => seatsOfPerson(tx, last('prs'), { after: undefined, limit: 51 }))
})
