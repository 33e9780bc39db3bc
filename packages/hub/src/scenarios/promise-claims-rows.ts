import type { Instant } from '@bursar/kit/clock.ts'
import { mailboxIssuer } from '#identity/people.ts'
import type { World } from '#main/world.ts'

export type OwnedOrder = {
  readonly id: string
  readonly state: string
  readonly person: string | null
  readonly claimedBy: string | null
  readonly claimedAt: Instant | null
  readonly paidAt: Instant | null
  readonly email: string | null
  readonly learnerEmail: string | null
  readonly gift: { readonly email: string | null; readonly sendAt: Instant | null } | null
  /** How many secrets and links of it would still be taken. */
  readonly secrets: number
  readonly links: number
  readonly claims: number
  readonly lines: number
  readonly begunHere: boolean
  /** When the hub heard that it is paid. */
  readonly toldPaidAt: Instant | null
  /** A refund or a dispute was ever about it. */
  readonly moneyBack: boolean
  /** Its lines may have come long after its money. */
  readonly linesLate: boolean
  readonly mails: readonly { readonly kind: string; readonly key: string | null }[]
}

export type ClaimRow = {
  readonly id: string
  readonly order: string
  readonly to: string
  readonly evidence: string
  readonly claimedAt: Instant
  readonly undoneAt: Instant | null
}

export type ClaimRows = {
  readonly orders: readonly OwnedOrder[]
  /** By order, oldest first. */
  readonly claims: ReadonlyMap<string, readonly ClaimRow[]>
  readonly cases: readonly {
    readonly id: string
    readonly order: string
    readonly claimant: string
    readonly holder: string | null
    readonly state: string
  }[]
  /** Live reasons that an order gives. */
  readonly reasons: readonly {
    readonly id: string
    readonly person: string
    readonly order: string
    readonly assigned: boolean
  }[]
  /** The person behind each mailbox. */
  readonly mailboxes: ReadonlyMap<string, string>
  /** People who stand for an address that nobody has proven. */
  readonly unprovenMailboxes: ReadonlySet<string>
  /** People with a way to sign in, or a mailbox they have proven. */
  readonly proven: ReadonlySet<string>
  /** People whom others turned out to be. */
  readonly joined: ReadonlySet<string>
  readonly merged: readonly { readonly person: string; readonly into: string; readonly holds: readonly string[] }[]
  readonly prepare: 'at_payment' | 'at_claim'
}

const ordersText = `
  select o.id, o.state, o.person_id as person, o.claimed_by as "claimedBy", o.claimed_at as "claimedAt",
    o.paid_at as "paidAt", o.email, o.learner_email as "learnerEmail", o.gift,
    cardinality(o.claim_secret_more) + (o.claim_secret_hash is not null)::int as secrets,
    (select count(*)::int from claim_link l where l.order_id = o.id and l.used_at is null) as links,
    (select count(*)::int from claim c where c.order_id = o.id) as claims,
    (select count(*)::int from order_line l where l.order_id = o.id) as lines, o.request_key is not null as "begunHere",
    (select min(at) from timeline_entry t where t.order_id = o.id and t.kind = 'order.paid') as "toldPaidAt",
    exists (select from refund r where r.order_id = o.id) or exists (select from dispute d where d.order_id = o.id) as "moneyBack",
    coalesce((select min(at) from timeline_entry t where t.order_id = o.id and t.kind like 'entitlement.%') - o.paid_at
      > interval '1 day', false) as "linesLate",
    coalesce((select jsonb_agg(jsonb_build_object('kind', m.kind, 'key', m.dedupe_key) order by m.id) from mail_message m
      where m.dedupe_key in ('receipt:' || o.id, 'gift:' || o.id)), '[]') as mails
  from "order" o order by o.id`

const mergedText = `
  select p.id as person, p.merged_into as into, array_remove(array[
    case when exists (select from "order" o where p.id in (o.person_id, o.buyer_id, o.claimed_by)) then 'orders' end,
    case when exists (select from entitlement e where e.person_id = p.id and e.revoked_at is null) then 'reasons' end,
    case when exists (select from enrollment n where n.person_id = p.id and n.wanted = 'granted') then 'seats' end,
    case when exists (select from identity i where i.person_id = p.id) then 'identities' end,
    case when exists (select from role_grant r where r.person_id = p.id and r.revoked_at is null) then 'roles' end,
    case when exists (select from payment_customer c where c.person_id = p.id) then 'customers' end], null) as holds
  from person p where p.merged_into is not null order by p.id`

type IdentityRow = {
  readonly person: string
  readonly issuer: string
  readonly subject: string
  readonly proven: boolean
}

/** Everything about who owns what, in eight plain queries. */
export async function readClaimRows(world: World): Promise<ClaimRows> {
  const [orders, claims, cases, reasons, identities, merged, [organization]] = await Promise.all([
    world.rows<OwnedOrder>(ordersText),
    world.rows<ClaimRow>(`
      select id, order_id as order, to_person as to, evidence, claimed_at as "claimedAt", undone_at as "undoneAt"
      from claim order by claimed_at, id`),
    world.rows<ClaimRows['cases'][number]>(
      `select k.id, k.order_id as order, k.claimant, o.claimed_by as holder, k.state from access_case k join "order" o on o.id = k.order_id`,
    ),
    world.rows<ClaimRows['reasons'][number]>(`
      select e.id, e.person_id as person, e.order_id as order, exists (
        select from seat_assignment a where a.line_id = e.source_id and a.person_id = e.person_id) as assigned
      from entitlement e where e.order_id is not null and e.revoked_at is null`),
    world.rows<IdentityRow>(
      `select person_id as person, issuer, subject, proven_at is not null as proven from identity`,
    ),
    world.rows<ClaimRows['merged'][number]>(mergedText),
    world.rows<{ prepare: ClaimRows['prepare'] }>(
      `select prepare_seat as prepare from organization where id = '${world.organization}'`,
    ),
  ])
  const mailboxes = identities.filter((i) => i.issuer === mailboxIssuer)
  const proven = new Set(identities.filter((i) => i.issuer !== mailboxIssuer || i.proven).map((i) => i.person))
  return {
    orders,
    claims: Map.groupBy(claims, (c) => c.order),
    cases,
    reasons,
    mailboxes: new Map(mailboxes.map((i) => [i.subject, i.person])),
    unprovenMailboxes: new Set(mailboxes.map((i) => i.person).filter((p) => !proven.has(p))),
    proven,
    joined: new Set(merged.map((m) => m.into)),
    merged,
    prepare: organization?.prepare ?? 'at_payment',
  }
}
