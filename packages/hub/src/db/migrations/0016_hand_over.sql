-- A session of the built-in provider on its way from a window of our own to the frame that opened it: good once, for a
-- minute. The token is sealed; whoever reads the table holds nothing. Installation-wide, as those sessions are.
create table auth.hand_over (
  code_hash text primary key,
  token bytea not null,
  session_ends_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index hand_over_by_expiry on auth.hand_over (expires_at);
grant select, insert, update, delete on auth.hand_over to bursar_system;
