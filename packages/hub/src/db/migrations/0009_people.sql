-- People who signed in, what they may do, and the sites that may show an organization's widget.

alter table person
  -- Where this person went when two turned out to be one; rows that name the old one keep doing so.
  add column merged_into text references person,
  add column erased_at timestamptz,
  add column locale text;

alter table identity
  -- What the issuer said last, for people who look at the list. Never a key.
  add column email text,
  add column last_seen_at timestamptz;

-- A customer record at a payment provider. It is the payer's; the learner may be somebody else.
create table payment_customer (
  organization_id text not null references organization,
  connection_id text not null references connection,
  external_id text not null,
  person_id text not null references person,
  created_at timestamptz not null,
  primary key (external_id, connection_id)
);
create index payment_customer_by_person on payment_customer (person_id);
select bursar_protect('payment_customer');

-- Everybody is a purchaser; the rest is given by somebody, for a reason, and taken back by somebody.
create table role_grant (
  id text primary key,
  organization_id text not null references organization,
  person_id text not null references person,
  role text not null check (role in ('payee', 'commerce-admin', 'owner', 'operator', 'support', 'finance', 'developer')),
  reason text not null,
  granted_by text not null,
  granted_at timestamptz not null,
  revoked_by text,
  revoked_at timestamptz,
  revoke_reason text
);
create unique index role_grant_live on role_grant (person_id, role) where revoked_at is null;
create index role_grant_by_organization on role_grant (organization_id, id);
select bursar_protect('role_grant');

-- Sites that may show this organization's frames: scheme, host and port.
create table organization_origin (
  organization_id text not null references organization,
  origin text not null check (origin ~ '^https?://[a-z0-9.:-]+$'),
  created_at timestamptz not null,
  primary key (organization_id, origin)
);
select bursar_protect('organization_origin');

alter table audit drop constraint audit_actor_kind_check;
alter table audit add constraint audit_actor_kind_check check (actor_kind in ('key', 'user', 'client', 'system'));
