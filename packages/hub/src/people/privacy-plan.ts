import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { mailboxIssuer } from '#identity/people.ts'
import { builtInIssuer } from '#identity/signed-in.ts'
import type { PlannedStep } from './privacy-shape.ts'

/** What stays although somebody is erased, and on what ground. Told to the person and kept in the ledger. */
export const retained = {
  books: 'Orders, payments and refunds stay with their amounts, without name and address: bookkeeping, 10 years.',
  audit: 'Who did what in this hub stays, with what they typed: accountability for access and money.',
  deliveries: 'Raw messages of payment providers and remembered answers are deleted by their age, after days or weeks.',
} as const

type Identity = { readonly issuer: string; readonly subject: string }
type Account = {
  readonly id: string
  readonly connectionId: string
  readonly school: string
  readonly externalId: string | null
}
type Payer = {
  readonly connectionId: string
  readonly name: string
  readonly platform: string
  readonly live: boolean
  readonly customers: readonly string[] | null
  readonly subscriptions: readonly string[] | null
}

const identitiesOf = (tx: Tx, people: readonly string[]) =>
  tx.many<Identity>(sql('privacy_identities')`
    select issuer, subject from identity where person_id = any(${people}::text[]) and issuer <> ${mailboxIssuer} order by 1, 2`)

const accountsOf = (tx: Tx, people: readonly string[]) =>
  tx.many<Account>(sql('privacy_accounts')`
    select a.id, a.connection_id as "connectionId", k.name as school, a.external_id as "externalId" from lms_account a join connection k on k.id = a.connection_id
    where a.person_id = any(${people}::text[]) order by a.id`)

const payersOf = (tx: Tx, people: readonly string[]) =>
  tx.many<Payer>(sql('privacy_payers')`
    select k.id as "connectionId", k.name, k.platform, bool_or(coalesce(o.livemode, true)) as live,
      array_agg(distinct c.external_id) filter (where c.external_id is not null) as customers,
      array_agg(distinct o.subscription_id) filter (where o.subscription_id is not null and o.ended_at is null) as subscriptions
    from connection k
    left join payment_customer c on c.connection_id = k.id and c.person_id = any(${people}::text[])
    left join (select o.connection_id, o.livemode, o.subscription_id, s.ended_at from "order" o left join subscription s on s.order_id = o.id
      where o.person_id = any(${people}::text[]) or o.buyer_id = any(${people}::text[])) o on o.connection_id = k.id
    where k.category = 'payment' and (c.external_id is not null or o.connection_id is not null)
    group by k.id order by k.id`)

const dashboard = (payer: Payer, customer: string): string =>
  payer.platform === 'stripe' ? ` https://dashboard.stripe.com/${payer.live ? '' : 'test/'}customers/${customer}` : ''

function payerSteps(payer: Payer, what: (customer: string | null) => string): PlannedStep[] {
  const stop =
    payer.subscriptions === null
      ? ''
      : ` Subscriptions that still run: ${payer.subscriptions.join(', ')}; end them first.`
  const found: readonly (string | null)[] = payer.customers ?? [null]
  return found.map((customer) => ({
    kind: 'payments',
    title: `The payer\u2019s record at ${payer.name}`,
    connectionId: payer.connectionId,
    subject: customer,
    state: 'waiting_person',
    note: `${what(customer)}${customer === null ? '' : dashboard(payer, customer)}${stop}`,
  }))
}

/** Everything that holds something of these people, in the order in which it is erased. */
export async function planErase(tx: Tx, ctx: Ctx, people: readonly string[]): Promise<PlannedStep[]> {
  const identities = await identitiesOf(tx, people)
  const builtIn = builtInIssuer(ctx)
  const accounts = await accountsOf(tx, people)
  const payers = await payersOf(tx, people)
  return [
    { kind: 'access', title: 'Access to courses' },
    ...identities
      .filter((it) => it.issuer === builtIn)
      .map((it) => ({ kind: 'sign_in', title: 'Sign-in at this hub', subject: it.subject })),
    { kind: 'sessions', title: 'Sessions of outside identity providers' },
    { kind: 'records', title: 'Name, addresses and identities in this hub' },
    ...accounts.map((a) => ({
      kind: 'school',
      title: `The account at ${a.school}`,
      connectionId: a.connectionId,
      subject: a.id,
    })),
    ...payers.flatMap((payer) =>
      payerSteps(payer, (customer) =>
        customer === null
          ? 'Redact the buyer of these payments in the provider\u2019s dashboard.'
          : 'Redact or delete this customer in the provider\u2019s dashboard.',
      ),
    ),
    { kind: 'mails', title: 'Addresses of messages' },
    { kind: 'books', title: 'Orders and payments', state: 'retained', note: retained.books },
    { kind: 'audit', title: 'The audit of this hub', state: 'retained', note: retained.audit },
    { kind: 'deliveries', title: 'Raw messages of payment providers', state: 'retained', note: retained.deliveries },
  ]
}

/** The copy is made of what this hub holds; what only other systems hold is a person's step each. */
export async function planExport(tx: Tx, _ctx: Ctx, people: readonly string[]): Promise<PlannedStep[]> {
  const accounts = await accountsOf(tx, people)
  const payers = await payersOf(tx, people)
  return [
    { kind: 'collect', title: 'Everything this hub holds' },
    ...accounts
      .filter((a) => a.externalId !== null)
      .map(
        (a): PlannedStep => ({
          kind: 'school_copy',
          title: `What ${a.school} holds itself`,
          connectionId: a.connectionId,
          subject: a.id,
          state: 'waiting_person',
          note: 'Export this learner there and hand it over with the copy.',
        }),
      ),
    ...payers.flatMap((payer) => payerSteps(payer, () => 'Export the payments of this buyer and hand them over.')),
  ]
}
