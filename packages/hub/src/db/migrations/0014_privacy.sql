-- What happens to people across the slices: two turn out to be one, an address changes, data is handed out or erased.
-- Each is a procedure: its row is written before anything is changed, so that whoever dies on the way is followed.

-- A person joins another. The one who joins keeps its row for ever, pointing to the other.
create table person_merge (
  id text primary key,
  organization_id text not null references organization,
  from_person_id text not null references person,
  into_person_id text not null references person,
  -- proof: both sides were signed in, or the mailbox was proven; operator: somebody decided it, for a reason.
  evidence text not null check (evidence in ('proof', 'operator')),
  reason text not null,
  requested_by text not null,
  -- waiting_person: nothing is moved yet, somebody must decide about a staff account first
  -- moved: all rows are the other's, the schools follow · done
  state text not null check (state in ('waiting_person', 'moved', 'done')),
  waits_for text,
  -- A staff account at a school may come along; only an operator says so.
  staff_accepted boolean not null default false,
  moved jsonb,
  created_at timestamptz not null,
  moved_at timestamptz,
  done_at timestamptz,
  check (from_person_id <> into_person_id),
  check ((state = 'waiting_person') = (waits_for is not null)),
  check ((state in ('moved', 'done')) = (moved_at is not null))
);
-- A person joins one other, once; asked twice it is the same procedure.
create unique index person_merge_once on person_merge (from_person_id) where state <> 'waiting_person';
create index person_merge_by_source on person_merge (from_person_id);
create index person_merge_by_target on person_merge (into_person_id);
create index person_merge_by_organization on person_merge (organization_id, id);
create index person_merge_open on person_merge (moved_at) where state = 'moved';
select bursar_protect('person_merge');

-- The address a school should have for an account, until it has it. The newest wish replaces the older.
create table account_email (
  account_id text primary key references lms_account on delete cascade,
  organization_id text not null references organization,
  email text not null,
  revision bigint not null default 1,
  state text not null default 'todo' check (state in ('todo', 'done', 'waiting_person')),
  attempts int not null default 0,
  -- Also the lease of whoever is asking the school now.
  next_try_at timestamptz,
  failure_class text,
  failure_code text,
  failure_message text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((state = 'todo') = (next_try_at is not null))
);
create index account_email_due on account_email (next_try_at) where state = 'todo';
create index account_email_waiting on account_email (organization_id, account_id) where state = 'waiting_person';
select bursar_protect('account_email');

-- The ledger of requests for one's data: to have a copy, or to be erased.
create table privacy_request (
  id text primary key,
  organization_id text not null references organization,
  kind text not null check (kind in ('export', 'erase')),
  person_id text not null references person,
  requested_by text not null,
  reason text,
  state text not null default 'running' check (state in ('running', 'waiting_person', 'done')),
  -- The law gives one month (GDPR art. 12 (3)).
  due_at timestamptz not null,
  -- What a copy holds, sealed; gone once it was downloaded or its time is over.
  document bytea,
  document_until timestamptz,
  downloaded_at timestamptz,
  created_at timestamptz not null,
  done_at timestamptz,
  check (document is null or kind = 'export'),
  check ((state = 'done') = (done_at is not null))
);
-- Asked again while it runs, it is the same request. Nobody is erased twice.
create unique index privacy_request_open on privacy_request (person_id, kind) where state <> 'done' or kind = 'erase';
create index privacy_request_by_person on privacy_request (person_id, id);
create index privacy_request_by_organization on privacy_request (organization_id, id);
create index privacy_request_running on privacy_request (created_at) where state <> 'done';
create index privacy_request_documents on privacy_request (document_until) where document is not null;
select bursar_protect('privacy_request');

-- One row per system that holds something of the person: what became of it there, and the proof.
create table privacy_step (
  request_id text not null references privacy_request,
  position int not null,
  organization_id text not null references organization,
  -- access, sign_in, sessions, school, payments, records, mails, …: rules.ts says what each does.
  kind text not null,
  title text not null,
  connection_id text references connection,
  -- The account or customer at that system, by its own id: what a person needs to find it there.
  subject text,
  state text not null default 'todo' check (state in ('todo', 'done', 'waiting_person', 'failed', 'retained')),
  -- Why something stays, or who must do what.
  note text,
  evidence jsonb,
  attempts int not null default 0,
  next_try_at timestamptz,
  completed_by text,
  updated_at timestamptz not null,
  primary key (request_id, position)
);
create index privacy_step_by_connection on privacy_step (connection_id) where connection_id is not null;
select bursar_protect('privacy_step');

-- A provider tells an order's address again with every late event; of an erased buyer it does not come back.
create function bursar_order_address() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from public.person p where p.id = new.person_id and p.erased_at is not null) then
    new.email := null;
  end if;
  return new;
end $$;
create trigger bursar_order_address before update on "order"
  for each row when (old.email is null and new.email is not null and new.person_id is not null)
  execute function bursar_order_address();
