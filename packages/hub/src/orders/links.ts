import { day, type Instant } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import type { App, Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import type { MailLink } from '#mail/kinds.ts'

const tokenBytes = 32
const tokenPattern = /^[A-Za-z0-9_-]{43}$/
const linkLifeMs = 14 * day

export const newSecret = (): string => Buffer.from(secureRandom.bytes(tokenBytes)).toString('base64url')

/** What is stored instead of a secret of 256 random bits. */
export const secretHash = (secret: string): Buffer => Buffer.from(hashSecret(secret), 'hex')

/** False for anything that cannot be one of our secrets; those are not even looked up. */
export const isSecret = (text: string): boolean => tokenPattern.test(text)

/**
 * A link for a receipt or a gift: whoever opens it reads the mailbox it is sent to. Good once, for 14 days. A mailbox
 * of null is a gift that its giver passes on.
 */
export async function makeClaimLink(
  tx: Tx,
  ctx: Pick<Ctx, 'ids' | 'organization' | 'publicUrl'>,
  order: { readonly id: string; readonly mailbox: string | null },
): Promise<MailLink> {
  const token = newSecret()
  const expiresAt = tx.now + linkLifeMs
  await tx.run(sql('claim_link_add')`
    insert into claim_link (id, organization_id, order_id, token_hash, mailbox, expires_at, created_at)
    values (${ctx.ids.next('cln')}, ${ctx.organization}, ${order.id}, ${secretHash(token)}, ${order.mailbox}, ${ts(expiresAt)}, ${ts(tx.now)})`)
  return { url: `${ctx.publicUrl}/claim/${token}`, expiresAt }
}

/** Where a good link leads. `mailbox` null: a gift without an address; whoever opens it proves an address of their own. */
export type ClaimLinkFound = {
  readonly organization: string
  readonly slug: string
  readonly organizationName: string
  readonly orderId: string
  readonly mailbox: string | null
  readonly isGift: boolean
  /** What the page names: the lines of the order. */
  readonly items: readonly { readonly title: string; readonly quantity: number }[]
  readonly expiresAt: Instant
}

type LinkRow = Omit<ClaimLinkFound, 'items'> & { readonly items: ClaimLinkFound['items'] | null }

/** What a link leads to; null when it is wrong, used or too old. Changes nothing, so previews and scanners may look. */
export async function readClaimLink(app: App, token: string): Promise<ClaimLinkFound | null> {
  if (!isSecret(token)) return null
  const [row] = await app.db.direct<LinkRow>(sql('claim_link_read')`
    select l.organization_id as organization, g.slug, g.name as "organizationName", l.order_id as "orderId", l.mailbox,
      o.gift is not null as "isGift", l.expires_at as "expiresAt",
      (select jsonb_agg(jsonb_build_object('title', n.description, 'quantity', n.quantity) order by n.id)
        from order_line n where n.order_id = o.id) as items
    from claim_link l join "order" o on o.id = l.order_id join organization g on g.id = l.organization_id
    where l.token_hash = ${secretHash(token)} and l.used_at is null and l.expires_at > ${ts(app.clock.now())}::timestamptz`)
  return row === undefined ? null : { ...row, items: row.items ?? [] }
}

/**
 * Spends a link that names its mailbox and says so: the caller may sign its holder in as somebody who has just proven
 * that mailbox, and then claims with that session. A link without a mailbox is not spent here; it is shown to
 * `claimOrder`. Null when it is wrong, used or too old.
 */
export async function useClaimLink(app: App, token: string): Promise<ClaimLinkFound | null> {
  const found = await readClaimLink(app, token)
  if (found === null || found.mailbox === null) return found
  const spent = await app.db.tx({ organization: found.organization }, (tx) =>
    tx.run(sql('claim_link_use')`
      update claim_link set used_at = ${ts(tx.now)}
      where token_hash = ${secretHash(token)} and used_at is null and expires_at > ${ts(tx.now)}::timestamptz`),
  )
  return spent === 1 ? found : null
}

/** Ends every link of an order: it was claimed, or its links went to the wrong place. */
export const burnLinks = (tx: Tx, orderId: string) =>
  tx.run(sql('claim_links_burn')`
    update claim_link set used_at = ${ts(tx.now)} where order_id = ${orderId} and used_at is null`)
