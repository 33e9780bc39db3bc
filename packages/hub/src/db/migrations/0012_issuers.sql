-- Identity providers that an organization brings along, and the sessions of people who come from them.

create table issuer (
  id text primary key,
  organization_id text not null references organization,
  -- Compared letter by letter with the claim "iss"; a trailing slash is part of it.
  url text not null,
  name text not null,
  -- The values of "aud" that mean this hub. Never the client id, which is the audience of ID tokens.
  audiences text[] not null default '{}',
  client_id text,
  -- Sealed; never shown again.
  client_secret bytea,
  -- Whether its word about an address counts. Off: a claim "email_verified" proves nothing here.
  trusts_email boolean not null default false,
  sign_in boolean not null default false,
  access_tokens boolean not null default false,
  code_challenge boolean not null default false,
  -- The database connection that sends the codes (Auth0).
  connection text,
  algorithms text[] not null check (cardinality(algorithms) > 0 and algorithms <@ array['RS256', 'ES256', 'EdDSA']),
  -- at+jwt: access tokens must say that they are one (RFC 9068). any: also those of providers that write JWT or nothing.
  token_type text not null default 'at+jwt' check (token_type in ('at+jwt', 'any')),
  state text not null default 'active' check (state in ('active', 'paused')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (url, organization_id),
  check (not sign_in or (client_id is not null and client_secret is not null)),
  check (not access_tokens or cardinality(audiences) > 0),
  -- A code is a proof of the mailbox only by the word of who checked it, so that word must count.
  check (not code_challenge or (trusts_email and client_id is not null and client_secret is not null and connection is not null)),
  check (client_id is null or not client_id = any (audiences))
);
create index issuer_by_organization on issuer (organization_id, id);
-- One place that sends codes, or nobody could say whose code it is.
create unique index issuer_of_codes on issuer (organization_id) where code_challenge;
select bursar_protect('issuer');

-- What an issuer published last, so that neither its outage nor our restart locks anybody out. Public facts that belong
-- to the issuer, not to the organizations that trust it; only the system writes them, from the issuer's own address.
create table issuer_keys (
  issuer text primary key,
  metadata jsonb not null,
  keys jsonb not null,
  fetched_at timestamptz not null
);
alter table issuer_keys enable row level security;
alter table issuer_keys force row level security;
create policy system on issuer_keys to bursar_system using (true) with check (true);
grant select, insert, update, delete on issuer_keys to bursar_system;

-- Tokens issued before this moment no longer count: for a person, or for one session at the provider.
create table revocation (
  organization_id text not null references organization,
  issuer text not null,
  kind text not null check (kind in ('subject', 'session')),
  value text not null,
  revoked_before timestamptz not null,
  primary key (issuer, kind, value, organization_id)
);
select bursar_protect('revocation');

-- Logout tokens that have been used. Each counts once.
create table logout_token (
  organization_id text not null references organization,
  issuer text not null,
  jti text not null,
  received_at timestamptz not null,
  primary key (issuer, jti, organization_id)
);
create index logout_token_by_age on logout_token (received_at);
select bursar_protect('logout_token');

create table session (
  id text primary key,
  organization_id text not null references organization,
  -- Null until the one-time code of the popup was exchanged: before, there is no token that could be lost.
  token_hash text unique,
  issuer text not null,
  subject text not null,
  email text,
  -- As the issuer claims it. Whether that counts is asked of the issuer's row at every use.
  email_verified boolean not null default false,
  name text,
  provider_session_id text,
  authenticated_at timestamptz not null,
  second_factor_at timestamptz,
  mailbox_proven_at timestamptz,
  user_agent text,
  address text,
  created_at timestamptz not null,
  last_seen_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index session_by_person on session (issuer, subject, organization_id, id);
create index session_by_provider_session on session (issuer, provider_session_id) where provider_session_id is not null;
create index session_by_expiry on session (expires_at);
select bursar_protect('session');

-- What the popup hands to the page that opened it: good once, for a minute, for one session.
create table sign_in_code (
  code_hash text primary key,
  organization_id text not null references organization,
  session_id text not null references session on delete cascade,
  return_path text not null,
  is_new boolean not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index sign_in_code_by_expiry on sign_in_code (expires_at);
create index sign_in_code_by_session on sign_in_code (session_id);
select bursar_protect('sign_in_code');

-- Codes an external provider has sent and that wait to be typed in.
create table issuer_challenge (
  id text primary key,
  organization_id text not null references organization,
  issuer_id text not null references issuer on delete cascade,
  -- SHA-256 of the address: who asked for a code and never typed it leaves no address behind.
  mailbox_hash text not null,
  -- The provider's handle, sealed.
  auth_session bytea not null,
  attempts int not null default 0,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index issuer_challenge_by_mailbox on issuer_challenge (mailbox_hash, issuer_id, id);
create index issuer_challenge_by_issuer on issuer_challenge (issuer_id);
create index issuer_challenge_by_expiry on issuer_challenge (expires_at);
select bursar_protect('issuer_challenge');
