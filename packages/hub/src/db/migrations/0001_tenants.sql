-- Roles, tenants and the rule that keeps them apart.
-- bursar_app sees one organization at a time: the one named in bursar.organization for this transaction.
-- bursar_system sees all: inbound intake, schedules and sweeps. Neither owns a table, so neither can switch the
-- rule off. Roles belong to the cluster, so they may exist already.
do $$
begin
  if not exists (select 1 from pg_roles where rolname = 'bursar_app') then create role bursar_app nologin; end if;
  if not exists (select 1 from pg_roles where rolname = 'bursar_system') then create role bursar_system nologin; end if;
end $$;
grant bursar_app, bursar_system to current_user;
grant usage on schema public to bursar_app, bursar_system;

create function bursar_organization() returns text
  language sql stable parallel safe
  return nullif(current_setting('bursar.organization', true), '');

-- Puts a table with an organization_id under the rule. Called once per tenant table.
-- "is not distinct from" on purpose: no index serves it, so the planner never walks a whole tenant because of the rule
-- where the query itself names one row (on tables without statistics it did: 30 times slower). Queries that list a
-- tenant say organization_id = … themselves.
create function bursar_protect(target regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant on %s to bursar_app using (organization_id is not distinct from bursar_organization()) with check (organization_id = bursar_organization())', target);
  execute format('create policy system on %s to bursar_system using (true) with check (true)', target);
  execute format('grant select, insert, update, delete on %s to bursar_app, bursar_system', target);
end $$;

create table organization (
  id text primary key,
  name text not null,
  slug text not null unique,
  -- When a seat is prepared for a buyer who has not proven who they are: at_payment or at_claim.
  prepare_seat text not null default 'at_payment' check (prepare_seat in ('at_payment', 'at_claim')),
  dispute_policy text not null default 'suspend' check (dispute_policy in ('suspend', 'keep')),
  grace_days int not null default 7 check (grace_days between 0 and 90),
  created_at timestamptz not null
);
alter table organization enable row level security;
alter table organization force row level security;
create policy tenant on organization to bursar_app using (id = bursar_organization());
create policy system on organization to bursar_system using (true) with check (true);
grant select on organization to bursar_app;
grant select, insert, update on organization to bursar_system;
