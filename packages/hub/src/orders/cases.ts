import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { ActionCtx } from '#action/define.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { bind } from './claim.ts'
import { stateRefuses } from './claim-rules.ts'
import { lockOrder } from './resettle.ts'

export type CaseView = {
  readonly id: string
  readonly orderId: string
  readonly kind: 'second_claimant'
  readonly claimant: string
  readonly claimantEmail: string | null
  readonly holder: string | null
  readonly holderEmail: string | null
  readonly evidence: string
  readonly state: 'open' | 'resolved'
  readonly resolution: 'keep' | 'move' | null
  readonly reason: string | null
  readonly resolvedBy: string | null
  readonly openedAt: Instant
  readonly lastAt: Instant
  readonly resolvedAt: Instant | null
}

export type CaseFilter = {
  readonly id?: string | undefined
  readonly orderId?: string | undefined
  readonly state?: 'open' | 'resolved' | undefined
  readonly after?: string | undefined
  readonly limit: number
}

/** Newest first. What is left out does not narrow. */
export const casesBy = (tx: Tx, f: CaseFilter) =>
  tx.many<CaseView>(sql('case_list')`
    select k.id, k.order_id as "orderId", k.kind, k.claimant, c.email as "claimantEmail", k.holder, h.email as "holderEmail",
      k.presented->>'evidence' as evidence, k.state, k.resolution, k.reason, k.resolved_by as "resolvedBy",
      k.opened_at as "openedAt", k.last_at as "lastAt", k.resolved_at as "resolvedAt"
    from access_case k join person c on c.id = k.claimant left join person h on h.id = k.holder
    where k.organization_id = bursar_organization() and (${f.id ?? null}::text is null or k.id = ${f.id ?? null})
      and (${f.orderId ?? null}::text is null or k.order_id = ${f.orderId ?? null})
      and (${f.state ?? null}::text is null or k.state = ${f.state ?? null})
      and (${f.after ?? null}::text is null or k.id < ${f.after ?? null})
    order by k.id desc limit ${f.limit}`)

export async function mustFindCase(tx: Tx, id: string): Promise<CaseView> {
  const [found] = await casesBy(tx, { id, limit: 1 })
  if (found === undefined) throw new CodedError('not_found', 'There is no such case.')
  return found
}

/** Decides a case once. `move` gives the order to the claimant exactly as a claim would, by the word of an operator. */
export async function resolveCase(
  ctx: ActionCtx,
  wish: { readonly caseId: string; readonly resolution: 'keep' | 'move'; readonly reason: string },
): Promise<{ readonly accounts: readonly string[] }> {
  const { tx } = ctx
  const found = await mustFindCase(tx, wish.caseId)
  // The order first, as everywhere: whoever holds it decides alone.
  const order = await lockOrder(tx, found.orderId)
  const done = await tx.run(sql('case_resolve')`
    update access_case set state = 'resolved', resolution = ${wish.resolution}, reason = ${wish.reason},
      resolved_by = ${ctx.actor.name}, resolved_at = ${ts(tx.now)} where id = ${found.id} and state = 'open'`)
  if (done === 0) throw new CodedError('conflict', 'This case is decided already.')
  const { resolution, reason } = wish
  await record(tx, ctx, [
    {
      kind: 'case.resolved',
      orderId: order.id,
      personId: order.personId,
      data: { caseId: found.id, resolution, by: ctx.actor.name, reason },
    },
  ])
  if (resolution === 'keep' || order.claimedBy === found.claimant) return { accounts: [] }
  if (stateRefuses(order.state) !== null)
    throw new CodedError('order_closed', 'The order gives no access, so there is nothing to move.', {
      state: order.state,
    })
  const claimant = { personId: found.claimant, issuer: 'urn:bursar:operator', subject: ctx.actor.name, email: null }
  const bound = await bind(tx, ctx, claimant, order, { kind: 'bind', evidence: 'operator', emailsDiffer: false })
  return { accounts: bound.kind === 'claimed' ? bound.accounts : [] }
}
