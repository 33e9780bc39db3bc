-- The account of one person at one school. Work on it is serialised by the lease: one holder at a time, freed by the
-- reaper when the holder's process is gone.
create table lms_account (
  id text primary key,
  organization_id text not null references organization,
  connection_id text not null references connection,
  person_id text not null references person,
  external_id text,
  email text not null,
  username text,
  privileged boolean not null default false,
  -- A person has confirmed that this staff account may take courses.
  privileged_accepted boolean not null default false,
  created_by_hub boolean not null default false,
  external_created_at timestamptz,
  lease_node text,
  lease_token text,
  lease_until timestamptz,
  created_at timestamptz not null,
  unique (person_id, connection_id),
  unique (external_id, connection_id)
);
create index lms_account_leased on lms_account (lease_node) where lease_node is not null;
select bursar_protect('lms_account');

-- The right to a course with its reason. Never deleted: it starts, it may pause, it ends.
create table entitlement (
  id text primary key,
  organization_id text not null references organization,
  person_id text not null references person,
  course_id text not null references course,
  source text not null check (source in ('order_line', 'subscription', 'manual')),
  source_id text not null,
  order_id text references "order",
  starts_at timestamptz not null,
  ends_at timestamptz,
  suspended_at timestamptz,
  revoked_at timestamptz,
  reason text not null,
  -- Ended by a person: what the order says later does not bring it back.
  ended_by_hand boolean not null default false,
  revision bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (source, source_id, person_id, course_id)
);
create index entitlement_by_seat on entitlement (person_id, course_id);
create index entitlement_by_order on entitlement (order_id);
create index entitlement_by_organization on entitlement (organization_id, id);
select bursar_protect('entitlement');

-- One learner, one course: what should be, and what the platform was last known to show.
create table enrollment (
  id text primary key,
  organization_id text not null references organization,
  person_id text not null references person,
  course_id text not null references course,
  connection_id text not null references connection,
  account_id text not null references lms_account,
  wanted text not null check (wanted in ('granted', 'revoked')),
  actual text not null default 'none' check (actual in ('none', 'granted', 'revoked', 'unknown')),
  -- Bumped whenever wanted changes; applied_revision says which one the platform has got.
  revision bigint not null default 1,
  applied_revision bigint not null default 0,
  -- When wanted changes by itself: an end or a start of an entitlement.
  next_change_at timestamptz,
  attempts int not null default 0,
  -- When to try (again); null = nothing to do, or a person must act (failure_class says which).
  next_try_at timestamptz,
  tried_at timestamptz,
  failing_since timestamptz,
  failure_class text,
  failure_code text,
  failure_message text,
  uncertain boolean not null default false,
  opened_at timestamptz,
  closed_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (person_id, course_id)
);
create index enrollment_due on enrollment (next_try_at) where next_try_at is not null;
create index enrollment_changing on enrollment (next_change_at) where next_change_at is not null;
create index enrollment_by_account on enrollment (account_id, next_try_at);
create index enrollment_failed on enrollment (organization_id, failure_class, failure_code) where failure_class is not null;
create index enrollment_by_organization on enrollment (organization_id, id);
create index enrollment_by_connection_due on enrollment (connection_id, next_try_at) where next_try_at is not null;
select bursar_protect('enrollment');

-- What happened, in order. Written in the transaction of the thing it tells.
create table timeline_entry (
  id text primary key,
  organization_id text not null references organization,
  at timestamptz not null,
  kind text not null,
  trace_id text not null,
  order_id text,
  person_id text,
  enrollment_id text,
  data jsonb not null
);
create index timeline_by_order on timeline_entry (order_id, id) where order_id is not null;
create index timeline_by_person on timeline_entry (person_id, id) where person_id is not null;
-- From a provider's event to what came of it.
create index timeline_by_event on timeline_entry ((data->>'eventId')) where kind = 'event.received';
create index timeline_by_enrollment on timeline_entry (enrollment_id, id) where enrollment_id is not null;
select bursar_protect('timeline_entry');

-- One-time links: the hash of a token that was handed out, burnt at its use.
create table launch_link (
  id text primary key,
  organization_id text not null references organization,
  enrollment_id text not null references enrollment,
  token_hash bytea not null unique,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null
);
select bursar_protect('launch_link');

-- One row per group of equal causes that need a person, however many rows it holds. Closed when the group is empty.
create table alert (
  id text primary key,
  organization_id text not null references organization,
  key text not null,
  kind text not null check (kind in ('stuck')),
  connection_id text not null references connection,
  failure_class text not null,
  failure_code text not null,
  message text not null,
  -- How often a seat ran into it; how many stand there now is a query.
  count bigint not null,
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  closed_at timestamptz
);
create unique index alert_open on alert (organization_id, key) where closed_at is null;
create index alert_newest on alert (organization_id, id);
select bursar_protect('alert');
