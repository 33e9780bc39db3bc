-- What the outside told us. inbound_event is narrow and stays for ever: its unique key is what makes a delivery of
-- last year a duplicate today. The bytes live beside it by day and leave by dropping a whole day.
create table inbound_event (
  id text primary key,
  -- No foreign keys here: the intake has just read the connection, and a check per row would lock the same
  -- organization row once per event on the hottest path of the hub.
  organization_id text not null,
  connection_id text,
  -- Provider, connection and mode: stripe:con_…:live. Starts with the provider's name.
  source text not null,
  external_id text not null,
  type text not null,
  form text not null check (form in ('snapshot', 'thin')),
  livemode boolean,
  account text,
  api_version text,
  occurred_at timestamptz,
  received_at timestamptz not null,
  payload_day date not null,
  state text not null default 'pending' check (state in ('pending', 'done', 'ignored', 'failed', 'unmatched')),
  -- What came of it, in a sentence.
  outcome text,
  processed_at timestamptz,
  -- Tries that were spent; a wait for a platform that is known to be down spends none.
  attempts int not null default 0,
  next_try_at timestamptz,
  -- How often it was delivered; the effect happens once.
  deliveries int not null default 1,
  trace_id text not null,
  -- The external id stands first so that a search by it alone finds its way; the key is the same.
  unique (external_id, source)
);
create index inbound_event_newest on inbound_event (organization_id, received_at, id);
create index inbound_event_by_type on inbound_event (organization_id, type, received_at, id);
create index inbound_event_open on inbound_event (organization_id, state, received_at, id)
  where state in ('pending', 'failed', 'unmatched');
-- For the sweep that finds pending rows whose job got lost.
create index inbound_event_due on inbound_event (coalesce(next_try_at, received_at)) where state = 'pending';
select bursar_protect('inbound_event');

create table inbound_payload (
  event_id text not null,
  organization_id text not null,
  day date not null,
  -- Content type and signature headers only.
  headers jsonb not null,
  body bytea not null,
  primary key (event_id, day)
) partition by range (day);
select bursar_protect('inbound_payload');
-- Days are made ahead. Should nobody have made today's, deliveries land here instead of being refused.
create table inbound_payload_default partition of inbound_payload default;
