import { minute } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { isMailAddress, maskEmail } from '#mail/address.ts'
import { sendMail } from '#mail/send.ts'
import type { ClaimedAccount, ItemResult } from './store.ts'

// Whoever waited this long has left the page.
const leftAfterMs = 2 * minute

/** Tells learners whose seat had to wait that it is open after all. In the transaction that writes so. */
export async function tellReady(
  tx: Tx,
  ctx: Ctx,
  account: Pick<ClaimedAccount, 'email' | 'personId'>,
  results: readonly ItemResult[],
): Promise<void> {
  const waited = results.filter(
    ({ item, actual, failure }) =>
      failure === null &&
      actual === 'granted' &&
      item.actual !== 'granted' &&
      item.failingSince !== null &&
      tx.now - item.failingSince > leftAfterMs,
  )
  if (waited.length === 0 || !isMailAddress(account.email)) return
  const courses = await tx.many<{ id: string; title: string }>(sql('ready_courses')`
    select id, title from course where id = any(${waited.map((w) => w.item.courseId)}::text[])`)
  const titles = new Map(courses.map((c) => [c.id, c.title]))
  for (const { item } of waited) {
    await sendMail(tx, ctx, {
      kind: 'seat_ready',
      to: account.email,
      data: { course: titles.get(item.courseId) ?? item.externalId, url: `${ctx.publicUrl}/account` },
      // One per wish: a seat that is closed and opened again is news again.
      dedupeKey: `seat_ready:${item.enrollmentId}:${item.revision}`,
    })
    await record(tx, ctx, [
      {
        kind: 'mail.sent',
        enrollmentId: item.enrollmentId,
        personId: account.personId,
        data: { mail: 'seat_ready', to: maskEmail(account.email) },
      },
    ])
  }
}
