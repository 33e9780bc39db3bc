import type { Instant } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

const tokenBytes = 32
const tokenPattern = /^[A-Za-z0-9_-]{43}$/

/** What is stored of a token; null when it does not even look like one. */
export const hashOfToken = (token: unknown): Buffer | null =>
  typeof token === 'string' && tokenPattern.test(token) ? Buffer.from(hashSecret(token), 'hex') : null

export type NewLink = {
  readonly enrollmentId: string
  readonly purpose: 'guest' | 'own'
  readonly expiresAt: Instant
  readonly path: string | null
}

/** Makes a one-time link and returns its token, which is stored only as a hash. */
export async function addLink(tx: Tx, ctx: Pick<Ctx, 'ids' | 'organization'>, link: NewLink): Promise<string> {
  const token = Buffer.from(secureRandom.bytes(tokenBytes)).toString('base64url')
  await tx.run(sql('launch_link_add')`
    insert into launch_link (id, organization_id, enrollment_id, purpose, redirect_path, token_hash, expires_at, created_at)
    values (${ctx.ids.next('lnk')}, ${ctx.organization}, ${link.enrollmentId}, ${link.purpose}, ${link.path},
      ${hashOfToken(token)}, ${ts(link.expiresAt)}, ${ts(tx.now)})`)
  return token
}

/** Spends a link; false when somebody else was first or its time is over. */
export const burnLink = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx.run(sql('launch_link_burn')`
    update launch_link set used_at = ${ts(tx.now)}
    where id = ${id} and used_at is null and expires_at > ${ts(tx.now)}::timestamptz`)) === 1

export const giveLinkBack = (tx: Tx, id: string) =>
  tx.run(sql('launch_link_give_back')`update launch_link set used_at = null where id = ${id}`)
