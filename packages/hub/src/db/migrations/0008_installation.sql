-- One row: a sealed word, by which a start finds out whether it holds the key this database was written with.
create table installation (
  one boolean primary key default true check (one),
  key_probe bytea not null
);
alter table installation enable row level security;
alter table installation force row level security;
create policy system on installation to bursar_system using (true) with check (true);
grant select, insert on installation to bursar_system;
