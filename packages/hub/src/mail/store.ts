import type { Instant } from '@bursar/kit/clock.ts'
import type { Asked } from '#db/ask.ts'
import { ask } from '#db/ask.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { normalAddress } from './address.ts'
import type { MailKind } from './kinds.ts'
import type { MailFailure } from './port.ts'

export type NewMessage = {
  readonly id: string
  readonly organization: string | null
  readonly to: string
  readonly kind: MailKind
  readonly sealed: Buffer
  readonly expiresAt: Instant
  readonly dedupeKey: string | null
}

/** Null when the same key was written before. */
export const insertMessage = (tx: Tx, message: NewMessage): Promise<{ id: string } | null> =>
  tx.maybeOne(sql('mail_insert')`
    insert into mail_message (id, organization_id, to_address, kind, sealed, next_try_at, expires_at, dedupe_key, created_at)
    values (${message.id}, ${message.organization}, ${message.to}, ${message.kind}, ${message.sealed}, ${ts(tx.now)},
      ${ts(message.expiresAt)}, ${message.dedupeKey}, ${ts(tx.now)})
    on conflict (organization_id, dedupe_key) where dedupe_key is not null do nothing
    returning id`)

/** A message that cannot be written to anybody: kept as a fact, without content, so that nobody waits for it. */
export const insertRefused = (
  tx: Tx,
  message: Omit<NewMessage, 'sealed'>,
  failure: MailFailure,
): Promise<{ id: string } | null> =>
  tx.maybeOne(sql('mail_insert_refused')`
    insert into mail_message (id, organization_id, to_address, kind, state, expires_at, failure_code, failure_message,
      dedupe_key, created_at)
    values (${message.id}, ${message.organization}, ${message.to}, ${message.kind}, 'failed', ${ts(message.expiresAt)},
      ${failure.code}, ${failure.message}, ${message.dedupeKey}, ${ts(tx.now)})
    on conflict (organization_id, dedupe_key) where dedupe_key is not null do nothing
    returning id`)

export const messageByKey = (tx: Tx, organization: string | null, key: string): Promise<{ id: string }> =>
  tx.one(sql('mail_by_key')`
    select id from mail_message where organization_id is not distinct from ${organization} and dedupe_key = ${key}`)

export type Claimed = {
  readonly id: string
  readonly organization: string | null
  readonly to: string
  readonly kind: MailKind
  readonly sealed: Buffer
  readonly attempts: number
  readonly createdAt: Instant
  readonly expiresAt: Instant
}

/** Takes a due message for one try; null when it is not due, done, or in somebody else's hands. System role only. */
export const claimMessage = async (
  at: Asked,
  id: string,
  times: { readonly now: Instant; readonly leaseUntil: Instant },
): Promise<Claimed | null> => {
  const [row] = await ask<Claimed>(
    at,
    sql('mail_claim')`
      update mail_message set attempts = attempts + 1, next_try_at = ${ts(times.leaseUntil)}
      where id = ${id} and state = 'queued' and next_try_at <= ${ts(times.now)}
      returning id, organization_id as organization, to_address as "to", kind, sealed, attempts,
        created_at as "createdAt", expires_at as "expiresAt"`,
  )
  return row ?? null
}

/** When a queued message may be tried again; null when it is queued no more. */
export const nextTry = async (at: Asked, id: string): Promise<Instant | null> => {
  const [row] = await ask<{ at: Instant | null }>(
    at,
    sql('mail_next_try')`select next_try_at as at from mail_message where id = ${id} and state = 'queued'`,
  )
  return row?.at ?? null
}

/**
 * Sent, and what it said is gone; `kept` leaves it readable for the mailbox of the demo. The number of the try says
 * whose try it was: one that took longer than its lease decides nothing any more.
 */
export const markSent = (at: Asked, message: Claimed, now: Instant, kept: boolean): Promise<unknown[]> =>
  ask(
    at,
    sql('mail_sent')`
      update mail_message set state = 'sent', sent_at = ${ts(now)}, next_try_at = null, kept = ${kept},
        failure_code = null, failure_message = null, sealed = case when ${kept} then sealed end
      where id = ${message.id} and state = 'queued'`,
  )

/** It ends without having been sent. */
export const markEnded = (
  at: Asked,
  message: Claimed,
  state: 'failed' | 'given_up',
  failure: MailFailure,
): Promise<unknown[]> =>
  ask(
    at,
    sql('mail_ended')`
      update mail_message set state = ${state}, next_try_at = null, sealed = null,
        failure_code = ${failure.code}, failure_message = ${failure.message}
      where id = ${message.id} and state = 'queued' and attempts = ${message.attempts}`,
  )

/** Comes again at `at`. A try that says nothing about this message is given back. */
export const markWaiting = (
  at: Asked,
  message: Claimed,
  until: Instant,
  failure: MailFailure,
  spent: boolean,
): Promise<unknown[]> =>
  ask(
    at,
    sql('mail_waiting')`
      update mail_message set next_try_at = ${ts(until)}, attempts = attempts - ${spent ? 0 : 1}::int,
        failure_code = ${failure.code}, failure_message = ${failure.message}
      where id = ${message.id} and state = 'queued' and attempts = ${message.attempts}`,
  )

export type MailState = {
  readonly waiting: number
  readonly waitingSince: Instant | null
  readonly refused: number
  readonly lastFailure: string | null
}

/** How the messages of one organization stand; `since` bounds what is refused and what is told of it. */
export const mailState = (tx: Tx, organization: string, since: Instant): Promise<MailState> =>
  tx.one(sql('mail_state')`
    select count(*) filter (where state = 'queued')::int as waiting,
      min(created_at) filter (where state = 'queued') as "waitingSince",
      count(*) filter (where state in ('failed', 'given_up'))::int as refused,
      (array_agg(failure_message order by created_at desc, id desc) filter (where failure_message is not null))[1] as "lastFailure"
    from mail_message where organization_id = ${organization}
      and (state = 'queued' or (state <> 'sent' and created_at > ${ts(since)}))`)

/** Takes a person's address out of what was written to it. What still waits is sent first. */
export const forgetAddress = (tx: Tx, organization: string, address: string): Promise<number> =>
  tx.run(sql('mail_forget')`
    update mail_message set to_address = '' where organization_id = ${organization} and to_address = ${normalAddress(address)}
      and state <> 'queued'`)
