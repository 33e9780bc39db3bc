-- What every action leaves behind, and the keys that call them.

-- Who may ask, and for what. The key itself is shown once; only its SHA-256 stays.
create table api_key (
  id text primary key,
  organization_id text not null references organization,
  name text not null,
  scopes text[] not null check (cardinality(scopes) > 0),
  secret_hash text not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null
);
create index api_key_by_organization on api_key (organization_id, id);
create unique index api_key_by_hash on api_key (secret_hash);
select bursar_protect('api_key');

-- One row per request that must not happen twice. In a read or write it is born and finished in the transaction of
-- the work; an action that calls outside keeps it started, under a lease, while it works.
create table idempotency_key (
  organization_id text not null references organization,
  key text not null,
  action text not null,
  input_hash text not null,
  lease_token text not null,
  lease_until timestamptz not null,
  finished_at timestamptz,
  output jsonb,
  created_at timestamptz not null,
  primary key (organization_id, key)
);
create index idempotency_key_by_age on idempotency_key (created_at);
select bursar_protect('idempotency_key');

-- Who did what, and how it ended. Nobody rewrites it, not even the system.
create table audit (
  id text primary key,
  organization_id text not null references organization,
  at timestamptz not null,
  actor_kind text not null check (actor_kind in ('key', 'system')),
  actor_id text,
  actor_name text not null,
  action text not null,
  -- Without secrets; null when it could not be read as the action's input.
  input jsonb,
  -- ok, or the error code.
  outcome text not null,
  duration_ms int not null,
  trace_id text not null
);
create index audit_by_organization on audit (organization_id, id);
create index audit_by_trace on audit (trace_id);
select bursar_protect('audit');
revoke update, delete on audit from bursar_app, bursar_system;

-- An organization may change its own settings, nothing else about itself.
grant update (name, prepare_seat, dispute_policy, grace_days) on organization to bursar_app;
