import type { CallerUser } from '#action/caller.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { freshProofMs, isFresh } from '#identity/signed-in.ts'
import { waitingAtMailbox } from './link.ts'
import { type Merge, mergePeople } from './merge.ts'

/**
 * Once somebody has proven their mailbox: the person that was only this mailbox, with the purchases and the roles that
 * waited there, becomes this one. Null when nobody waits, or the proof is not of now.
 */
export async function joinWaitingMailbox(tx: Tx, ctx: Ctx, user: CallerUser): Promise<Merge | null> {
  if (!isFresh(user.mailboxProvenAt, tx.now, freshProofMs)) return null
  const waiting = await waitingAtMailbox(tx, ctx.organization, user)
  if (waiting === null || waiting === user.personId || user.email === null) return null
  const how = 'The mailbox was proven by a code at sign-in.'
  const evidence = { kind: 'proof', how, provenMailbox: user.email } as const
  return mergePeople(tx, ctx, { from: waiting, into: user.personId, evidence })
}
