import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { claimViolations } from './promise-claims.ts'
import { type Begun, createShop, type Shop } from './shop.ts'

let shop: Shop
let claimed: Begun
let waiting: Begun
let gift: Begun

before(async () => {
  shop = await createShop()
  const price = await shop.world.sell('Sourdough', 4900, ['sourdough-basics'])
  const paid = async (email: string, body: Record<string, unknown> = {}) => {
    const order = await shop.begin({ prices: [price], ...body })
    await shop.pay(order, email)
    await shop.world.settle(minute)
    return order
  }
  claimed = await paid('owner@claims.example')
  waiting = await paid('waits@claims.example')
  gift = await paid('giver@claims.example', { gift: { email: 'friend@claims.example' } })
  const token = shop.session('owner', { email: 'owner@claims.example', fresh: true })
  const body = { orderRef: claimed.orderRef, claimSecret: claimed.claimSecret }
  assert.equal((await shop.post('/api/onboard-learner', body, { token })).status, 200)
  await shop.world.settle(minute)
})
after(() => shop.close())

const codes = async () => [...new Set((await claimViolations(shop.world)).map((v) => v.code))].sort()

/** Breaks one thing in a transaction of its own world, sees it named, and mends it. */
async function notices(expected: readonly string[], wrong: string, right: string): Promise<void> {
  await shop.world.rows(wrong)
  assert.deepEqual(await codes(), expected, wrong)
  await shop.world.rows(right)
  assert.deepEqual(await codes(), [], right)
}

const of = (order: Begun) => `id = '${order.orderRef}'`
const person = (email: string) =>
  `(select person_id from identity where issuer = 'urn:bursar:mailbox' and subject = '${email}')`

test('each side of a claim that is bent in silence is named', async () => {
  assert.deepEqual(await codes(), [])
  const owner = person('owner@claims.example')
  await notices(
    ['secret_left'],
    `update "order" set claim_secret_hash = 'x' where ${of(claimed)}`,
    `update "order" set claim_secret_hash = null where ${of(claimed)}`,
  )
  await notices(
    ['link_left'],
    `update claim_link set used_at = null where order_id = '${claimed.orderRef}'`,
    `update claim_link set used_at = created_at where order_id = '${claimed.orderRef}'`,
  )
  await notices(
    ['foreign_reason', 'learner_differs'],
    `update "order" set person_id = ${person('waits@claims.example')} where ${of(claimed)}`,
    `update "order" set person_id = ${owner} where ${of(claimed)}`,
  )
  await notices(
    ['claim_differs'],
    `update "order" set claimed_by = null, claimed_at = null where ${of(claimed)}`,
    `update "order" set claimed_by = ${owner}, claimed_at = paid_at where ${of(claimed)}`,
  )
  await notices(
    ['claimed_twice'],
    `insert into claim (id, organization_id, order_id, to_person, issuer, subject, evidence, emails_differ, claimed_at)
      select 'clm_0', organization_id, order_id, to_person, issuer, subject, 'mailbox_code', false, claimed_at - interval '1 s' from claim`,
    `delete from claim where id = 'clm_0'`,
  )
  await notices(
    ['claim_half'],
    `update "order" set claimed_at = null where ${of(claimed)}`,
    `update "order" set claimed_at = paid_at where ${of(claimed)}`,
  )
  await notices(
    ['case_of_one'],
    `insert into access_case (id, organization_id, order_id, kind, claimant, presented, opened_at, last_at)
      select 'cas_0', organization_id, id, 'second_claimant', claimed_by, '{}', paid_at, paid_at from "order" where ${of(claimed)}`,
    `delete from access_case where id = 'cas_0'`,
  )
})

test('a seat for nobody, for another, or before its time is named', async () => {
  const waits = person('waits@claims.example')
  await notices(
    ['foreign_reason', 'nobody_prepared'],
    `update "order" set person_id = null where ${of(waiting)}`,
    `update "order" set person_id = ${waits} where ${of(waiting)}`,
  )
  await notices(
    ['foreign_reason', 'prepared_for_another'],
    `update "order" set person_id = ${person('friend@claims.example')} where ${of(waiting)}`,
    `update "order" set person_id = ${waits} where ${of(waiting)}`,
  )
  await notices(
    ['prepared_early'],
    `update organization set prepare_seat = 'at_claim'`,
    `update organization set prepare_seat = 'at_payment'`,
  )
  await notices(
    ['mailbox_holds_claimed'],
    `update entitlement set person_id = ${waits}, source_id = 'other' where order_id = '${claimed.orderRef}'`,
    `update entitlement set person_id = ${person('owner@claims.example')} where order_id = '${claimed.orderRef}'`,
  )
  await notices(
    ['merged_holds'],
    `update person set merged_into = ${person('owner@claims.example')} where id = ${waits}`,
    `update person set merged_into = null where id = ${waits}`,
  )
})

test('a message that was not written, or twice, or to the wrong kind of reader, is named', async () => {
  const key = (order: Begun) => `dedupe_key = 'receipt:${order.orderRef}'`
  await notices(
    ['receipt_missing'],
    `update mail_message set dedupe_key = 'gone' where ${key(waiting)}`,
    `update mail_message set dedupe_key = 'receipt:${waiting.orderRef}' where dedupe_key = 'gone'`,
  )
  await notices(
    ['receipt_missing', 'receipts_wrong'],
    `update mail_message set kind = 'receipt' where ${key(gift)}`,
    `update mail_message set kind = 'gift_receipt' where ${key(gift)}`,
  )
  await notices(
    ['gift_unsent'],
    `update mail_message set dedupe_key = 'gone' where dedupe_key = 'gift:${gift.orderRef}'`,
    `update mail_message set dedupe_key = 'gift:${gift.orderRef}' where dedupe_key = 'gone'`,
  )
})
