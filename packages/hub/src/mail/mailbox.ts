import type { Instant } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { sql } from '#db/sql.ts'
import { normalAddress } from './address.ts'
import type { MailKind } from './kinds.ts'
import { type StoredContent, sealedFor } from './send.ts'

/** A message of the demo or of a test, as its reader finds it. */
export type KeptMail = Omit<StoredContent, 'links'> & {
  readonly id: string
  readonly to: string
  readonly kind: MailKind
  readonly sentAt: Instant
  /** The first link a reader is asked to open. */
  readonly link: string | null
  readonly links: readonly string[]
}

type Row = {
  readonly id: string
  readonly to: string
  readonly kind: MailKind
  readonly sealed: Buffer
  readonly sentAt: Instant
}

const pageMax = 100

/** The newest kept messages first, to one address or to all. Only the demo and tests keep any. */
export async function keptMail(
  app: Pick<App, 'db' | 'secrets'>,
  to: string | null,
  limit = pageMax,
): Promise<KeptMail[]> {
  const address = to === null ? null : normalAddress(to)
  const rows = await app.db.direct<Row>(sql('mail_kept')`
    select id, to_address as "to", kind, sealed, sent_at as "sentAt" from mail_message
    where kept and (${address}::text is null or to_address = ${address})
    order by created_at desc, id desc limit ${Math.min(limit, pageMax)}`)
  return rows.map((row) => opened(app, row))
}

export async function keptMailById(app: Pick<App, 'db' | 'secrets'>, id: string): Promise<KeptMail | null> {
  const [row] = await app.db.direct<Row>(sql('mail_kept_one')`
    select id, to_address as "to", kind, sealed, sent_at as "sentAt" from mail_message where kept and id = ${id}`)
  return row === undefined ? null : opened(app, row)
}

function opened({ secrets }: Pick<App, 'secrets'>, { sealed, ...row }: Row): KeptMail {
  const content = JSON.parse(secrets.open(sealed, sealedFor(row.id))) as StoredContent
  return { ...row, ...content, link: content.links[0] ?? null }
}
