import { second } from '@bursar/kit/clock.ts'
import { type Ctx, inTx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { nextOf, updateAccount } from './email-schools.ts'
import type { Step, StepResult } from './privacy-shape.ts'

const lookMs = 30 * second

type Account = {
  readonly connectionId: string
  readonly personId: string
  readonly externalId: string | null
  readonly privileged: boolean
  readonly createdByHub: boolean
  readonly due: number
  readonly stuck: number
  /** Somebody else whose seats are on this account: the same address bought again. */
  readonly sharedWith: string | null
}

const accountOf = (tx: Tx, accountId: string, people: readonly string[]) =>
  tx.maybeOne<Account>(sql('erase_account')`
    select a.connection_id as "connectionId", a.person_id as "personId", a.external_id as "externalId", a.privileged, a.created_by_hub as "createdByHub",
      count(n.id) filter (where n.person_id = any(${people}::text[]) and n.next_try_at is not null)::int as due,
      count(n.id) filter (where n.person_id = any(${people}::text[]) and n.next_try_at is null and n.failure_class is not null)::int as stuck,
      min(n.person_id) filter (where n.person_id <> all(${people}::text[])) as "sharedWith"
    from lms_account a left join enrollment n on n.account_id = a.id
    where a.id = ${accountId} and a.person_id = any(${people}::text[]) group by a.id`)

/** What an erased account at a school is called from now on. The domain can never exist (RFC 2606). */
export const erasedAlias = (accountId: string) => ({
  email: `${accountId.replace('_', '-')}@erased.invalid`,
  name: `Erased ${accountId.slice(-8)}`,
})

/**
 * Takes the person out of one school account: its seats are closed first, then its name and address are replaced where
 * the platform allows it. No account is deleted: what hangs on it is the school's. An account the hub did not make, one
 * of staff, and a platform that cannot change accounts are a person's step, with what that person needs to find it.
 */
export async function eraseSchool(ctx: Ctx, step: Step, people: readonly string[]): Promise<StepResult> {
  const accountId = step.subject ?? ''
  const account = await inTx(ctx, (tx) => accountOf(tx, accountId, people))
  if (account === null) return { state: 'done', note: 'The account went to another person.' }
  if (account.due > 0)
    return { state: 'todo', note: 'Its seats are being closed.', nextTryAt: ctx.clock.now() + lookMs }
  if (account.sharedWith !== null) return handOver(ctx, accountId, account.sharedWith)
  const { externalId } = account
  if (externalId === null) {
    await inTx(ctx, (tx) => releaseAccount(tx, accountId))
    return { state: 'done', note: 'No account was ever made there.' }
  }
  const evidence = { account: externalId }
  const byHand = (why: string): StepResult => ({
    state: 'waiting_person',
    note: `${why} Take name and address out of account ${externalId} there.`,
    evidence,
  })
  if (account.stuck > 0) return byHand('A seat could not be closed by itself.')
  if (account.privileged) return byHand('This is a staff account.')
  if (!account.createdByHub) return byHand('This account was there before the hub knew the person.')
  const answer = await updateAccount(ctx, account.connectionId, externalId, erasedAlias(accountId))
  if (answer.ok) {
    await inTx(ctx, (tx) => releaseAccount(tx, accountId))
    return { state: 'done', note: 'Name and address were replaced there.', evidence }
  }
  const attempts = answer.failure.unsent === true ? step.attempts : step.attempts + 1
  const next = nextOf(ctx, answer.failure, attempts, ctx.clock.now())
  if (next === null) return byHand(answer.failure.message)
  return { state: 'failed', note: answer.failure.message, attempts, nextTryAt: next, evidence }
}

/** The hub forgets which account it was; the step keeps its id as the proof. */
export const releaseAccount = (tx: Tx, accountId: string) =>
  tx.run(sql('erase_account_release')`
    update lms_account set external_id = null, email = '', username = null, external_created_at = null where id = ${accountId}`)

async function handOver(ctx: Ctx, accountId: string, other: string): Promise<StepResult> {
  const handed = await inTx(ctx, (tx) =>
    tx.run(sql('erase_account_hand')`
      update lms_account a set person_id = ${other} where a.id = ${accountId}
        and not exists (select 1 from lms_account b where b.person_id = ${other} and b.connection_id = a.connection_id)`),
  )
  const note = 'The address bought again: the school has one account per address, and it is in use.'
  return { state: handed === 1 ? 'retained' : 'waiting_person', note }
}
