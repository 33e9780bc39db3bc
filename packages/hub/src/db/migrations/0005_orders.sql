-- Indexes begin with the column that tells rows apart, so that a plan made before there are statistics is a good one.

-- People as the hub knows them, and the identities they are known by. An address that nobody has proven yet is an
-- identity of issuer urn:bursar:mailbox with proven_at null: a place to prepare a seat, never a way in.
create table person (
  id text primary key,
  organization_id text not null references organization,
  email text,
  name text,
  created_at timestamptz not null
);
create index person_by_organization on person (organization_id, id);
-- Stored in one spelling. Under row-level security an index over lower(email) would not serve: only equality itself may
-- look at rows before the rule does.
create index person_by_email on person (email, organization_id);
select bursar_protect('person');

create table identity (
  organization_id text not null references organization,
  issuer text not null,
  subject text not null,
  person_id text not null references person,
  proven_at timestamptz,
  created_at timestamptz not null,
  primary key (organization_id, issuer, subject)
);
create index identity_by_person on identity (person_id);
select bursar_protect('identity');

create table "order" (
  id text primary key,
  organization_id text not null references organization,
  connection_id text not null references connection,
  -- The provider's own names of this purchase. Each belongs to one order for ever.
  checkout_id text,
  payment_id text,
  subscription_id text,
  charge_id text,
  state text not null check (state in ('pending', 'awaiting_funds', 'paid', 'partially_refunded', 'refunded', 'disputed', 'charged_back', 'canceled', 'expired')),
  -- How far the payment form got, apart from the money: the money is paid_at.
  form_state text not null default 'open' check (form_state in ('open', 'awaiting_funds', 'expired', 'failed')),
  -- The provider's time of the newest statement about the form; older ones change nothing.
  told_at timestamptz,
  -- What must be looked at by a person before the order is whole; null when nothing.
  issue text check (issue in ('price_unknown', 'metadata_mismatch', 'refund_unattributed', 'no_email', 'livemode_mismatch', 'amount_mismatch')),
  issue_detail text,
  person_id text references person,
  -- As the buyer typed it; email_key is for finding it.
  email text,
  email_key text generated always as (lower(email)) stored,
  currency text,
  amount bigint not null default 0,
  amount_refunded bigint not null default 0,
  livemode boolean not null,
  metadata jsonb not null default '{}',
  claim_secret_hash bytea,
  -- The idempotency key of the request that made it, so that its repetition finds it again.
  request_key text,
  revision bigint not null default 1,
  created_at timestamptz not null,
  paid_at timestamptz,
  updated_at timestamptz not null,
  unique (checkout_id, connection_id),
  unique (payment_id, connection_id),
  unique (subscription_id, connection_id),
  unique (request_key, organization_id)
);
create index order_by_checkout on "order" (checkout_id);
create index order_by_payment on "order" (payment_id);
create index order_by_subscription on "order" (subscription_id);
create index order_by_charge on "order" (charge_id);
create index order_by_organization on "order" (organization_id, id);
create index order_by_state on "order" (organization_id, state, id);
create index order_by_email on "order" (email_key, organization_id);
create index order_by_person on "order" (person_id);
create index order_with_issue on "order" (organization_id, id) where issue is not null;
select bursar_protect('"order"');

create table order_line (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  external_id text not null,
  description text not null,
  price_external_id text,
  product_version_id text references product_version,
  quantity int not null,
  amount bigint not null,
  tax bigint not null,
  amount_refunded bigint not null default 0,
  unique (order_id, external_id)
);
select bursar_protect('order_line');

create table refund (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  connection_id text not null references connection,
  external_id text not null,
  -- The payment it pays back: of a subscription there are many, one per invoice.
  payment_id text,
  amount bigint not null,
  currency text not null,
  state text not null check (state in ('pending', 'succeeded', 'failed', 'canceled', 'requires_action')),
  reason text,
  -- {"<order line id>": "<amount>"}; null while nobody knows which lines it pays back.
  allocation jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (external_id, connection_id)
);
create index refund_by_order on refund (order_id);
create index refund_by_external on refund (external_id);
select bursar_protect('refund');

-- A refund somebody asked the hub for, written before the provider is asked: a repetition after a crash asks for
-- exactly the same, and two at once cannot pay back more than was paid.
create table refund_request (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  request_key text not null,
  amount bigint not null,
  -- What was asked for, to tell a repetition from another request with the same key.
  wish jsonb not null,
  allocation jsonb not null,
  reason text not null,
  state text not null default 'asked' check (state in ('asked', 'made', 'refused')),
  external_id text,
  created_at timestamptz not null,
  unique (request_key, organization_id)
);
create index refund_request_by_order on refund_request (order_id);
select bursar_protect('refund_request');

create table dispute (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  connection_id text not null references connection,
  external_id text not null,
  amount bigint not null,
  currency text not null,
  state text not null check (state in ('inquiry', 'open', 'won', 'lost')),
  provider_state text not null,
  funds_withdrawn boolean not null,
  reason text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (external_id, connection_id)
);
create index dispute_by_order on dispute (order_id);
select bursar_protect('dispute');

create table subscription (
  id text primary key,
  organization_id text not null references organization,
  order_id text not null references "order",
  connection_id text not null references connection,
  external_id text not null,
  state text not null,
  -- The end of a trial, or of the first period as the subscription itself showed it. What renewals paid is in invoice.
  carried_until timestamptz,
  past_due_since timestamptz,
  told_at timestamptz,
  cancel_at timestamptz,
  ended_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (external_id, connection_id)
);
create index subscription_by_order on subscription (order_id);
select bursar_protect('subscription');

-- One row per invoice. A paid one carries access to its period's end, until its payment is paid back in full.
create table invoice (
  id text primary key,
  organization_id text not null references organization,
  subscription_id text not null references subscription,
  connection_id text not null references connection,
  external_id text not null,
  payment_id text,
  state text not null,
  amount bigint not null,
  currency text not null,
  period_end timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (external_id, connection_id)
);
create index invoice_by_payment on invoice (payment_id, connection_id);
create index invoice_by_subscription on invoice (subscription_id);
select bursar_protect('invoice');

-- How far a payment account's own list of events was compared with what arrived.
create table payment_sweep (
  connection_id text primary key references connection,
  organization_id text not null references organization,
  swept_until timestamptz not null
);
select bursar_protect('payment_sweep');
