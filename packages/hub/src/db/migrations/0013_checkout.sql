-- Checkout and claim. Whoever pays is not the learner by definition: `email` is the paid mailbox, `learner_email` the
-- one the seat is for when they differ, `person_id` the learner, `buyer_id` the signed-in person who began the order.

alter table "order"
  add column buyer_id text references person,
  add column learner_email text,
  -- {"email", "name", "message", "sendAt"}: bought for somebody else; every part may be null.
  add column gift jsonb,
  -- The payer's record at the payment provider.
  add column customer_id text,
  -- Where the form is shown; null for checkouts that were not made here.
  add column ui text check (ui in ('elements', 'embedded_page', 'hosted_page')),
  add column promotion_code text,
  -- What the request asked for, so that another cart under the same key is refused.
  add column request_hash bytea,
  -- Secrets given to repetitions of the same request, such as a second tab. Burnt together with claim_secret_hash.
  add column claim_secret_more bytea[] not null default '{}',
  add column claimed_at timestamptz,
  add column claimed_by text references person,
  -- A claim was undone from the paid mailbox: from then on only that mailbox can claim.
  add column mailbox_only boolean not null default false,
  -- When the receipt was written; null until the order is paid and its lines and its buyer are known.
  add column receipt_at timestamptz,
  -- When somebody waiting on the page last had the provider asked, so that polling asks rarely.
  add column asked_at timestamptz;
create index order_by_buyer on "order" (buyer_id) where buyer_id is not null;
-- In one spelling, because under row-level security only equality of the column itself is served by an index.
create index order_unclaimed_by_learner on "order" (learner_email, organization_id)
  where learner_email is not null and claimed_at is null;

-- Whether a price comes back every month; null until the provider was first asked to sell it.
alter table price add column recurring boolean;

-- Who took an order over, by which evidence. Never deleted; an undone one says when.
create table claim (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  -- The person the seat had been prepared for; null when it was for nobody yet.
  from_person text references person,
  to_person text not null references person,
  issuer text not null,
  subject text not null,
  evidence text not null check (evidence in ('claim_secret', 'mailbox_code', 'receipt_link', 'session', 'operator')),
  emails_differ boolean not null,
  -- The hashes of the secrets that ended with this claim: whoever still shows one is known for what he is.
  burnt bytea[] not null default '{}',
  claimed_at timestamptz not null,
  undo_hash bytea,
  undo_until timestamptz,
  undone_at timestamptz
);
create index claim_by_order on claim (order_id, id);
create index claim_by_person on claim (to_person);
create unique index claim_by_undo on claim (undo_hash) where undo_hash is not null;
select bursar_protect('claim');

-- Links in receipts: whoever holds one reads the mailbox it was sent to. Null mailbox: a gift whose giver passes it on.
create table claim_link (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  token_hash bytea not null unique,
  mailbox text,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null
);
create index claim_link_by_order on claim_link (order_id);
select bursar_protect('claim_link');

-- A question about access that only a person may decide. One open case per order and claimant.
create table access_case (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  kind text not null check (kind in ('second_claimant')),
  claimant text not null references person,
  holder text references person,
  -- What was shown, never the secret itself: {"evidence", "email", "issuer"}.
  presented jsonb not null,
  state text not null default 'open' check (state in ('open', 'resolved')),
  resolution text check (resolution in ('keep', 'move')),
  reason text,
  resolved_by text,
  opened_at timestamptz not null,
  last_at timestamptz not null,
  resolved_at timestamptz,
  check ((state = 'resolved') = (resolution is not null and resolved_at is not null))
);
create unique index access_case_open on access_case (order_id, kind, claimant) where state = 'open';
create index access_case_by_organization on access_case (organization_id, id);
select bursar_protect('access_case');

-- Further seats of a line whose quantity is more than one, each given to somebody.
create table seat_assignment (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  line_id text not null references order_line,
  person_id text not null references person,
  email text not null,
  assigned_by text not null,
  assigned_at timestamptz not null,
  unique (line_id, person_id)
);
create index seat_assignment_by_order on seat_assignment (order_id);
create index seat_assignment_by_person on seat_assignment (person_id);
select bursar_protect('seat_assignment');

-- Two persons with one address share the school's one account: the school knows people by address.
create index lms_account_by_email on lms_account (email, connection_id);
