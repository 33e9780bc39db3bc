-- Messages to people. Written in the transaction of what they tell, sent by a job. The content is sealed, because it
-- carries sign-in codes and claim links, and it leaves with the sending; kind, address and times stay for the timeline.
create table mail_message (
  id text primary key,
  -- Null for what belongs to no organization: a code of the built-in identity provider asked for at the hub itself.
  organization_id text references organization,
  to_address text not null,
  kind text not null,
  sealed bytea,
  state text not null default 'queued' check (state in ('queued', 'sent', 'failed', 'given_up')),
  -- The demo and the tests send nothing: the mailbox page reads what stays here.
  kept boolean not null default false,
  -- Tries of this message; a mail server that answers nobody spends none.
  attempts int not null default 0,
  -- Also the lease of whoever is sending it now.
  next_try_at timestamptz,
  -- After this moment it would only confuse: its code or link is over.
  expires_at timestamptz not null,
  sent_at timestamptz,
  failure_code text,
  failure_message text,
  dedupe_key text,
  created_at timestamptz not null,
  check ((state = 'queued') = (next_try_at is not null)),
  check ((state = 'sent') = (sent_at is not null)),
  check ((state = 'queued' or kept) = (sealed is not null))
);
create unique index mail_message_once on mail_message (organization_id, dedupe_key) nulls not distinct
  where dedupe_key is not null;
create index mail_message_due on mail_message (next_try_at) where state = 'queued';
create index mail_message_newest on mail_message (organization_id, created_at, id);
create index mail_message_by_address on mail_message (to_address, created_at, id);
create index mail_message_by_age on mail_message (created_at) where state <> 'queued';

-- Not bursar_protect: its policy would show rows without an organization to a session without one, and its grants
-- would let a tenant read codes. A tenant may write a message, see that it went, and blank the address of a person
-- who is erased; the content is for bursar_system alone.
alter table mail_message enable row level security;
alter table mail_message force row level security;
create policy tenant on mail_message to bursar_app
  using (organization_id = bursar_organization()) with check (organization_id = bursar_organization());
create policy system on mail_message to bursar_system using (true) with check (true);
grant select (id, organization_id, to_address, kind, state, kept, attempts, next_try_at, expires_at, sent_at,
  failure_code, failure_message, dedupe_key, created_at) on mail_message to bursar_app;
grant insert, update (to_address) on mail_message to bursar_app;
grant select, insert, update, delete on mail_message to bursar_system;
-- Contents come and go by the thousand; giving the empty pages back would lock the table each time.
alter table mail_message set (vacuum_truncate = false, toast.vacuum_truncate = false);
