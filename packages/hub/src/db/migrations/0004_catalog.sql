-- Connections: one configured school or payment account each. Credentials are sealed (kit/secretbox), tied to the row.
create table connection (
  id text primary key,
  organization_id text not null references organization,
  category text not null check (category in ('lms', 'payment')),
  platform text not null,
  name text not null,
  config jsonb not null,
  credentials bytea,
  state text not null default 'active' check (state in ('active', 'paused')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (organization_id, category, name)
);
select bursar_protect('connection');

-- Webhook secrets of a connection; several may be valid at once while one is replaced.
create table connection_secret (
  id text primary key,
  organization_id text not null references organization,
  connection_id text not null references connection on delete cascade,
  sealed bytea not null,
  -- It stands in the settings or the seed file, which also end it; one that was given by hand stays.
  listed boolean not null default false,
  valid_from timestamptz not null,
  valid_until timestamptz,
  created_at timestamptz not null
);
create index connection_secret_by_connection on connection_secret (connection_id);
select bursar_protect('connection_secret');

-- Anything a platform opens.
create table course (
  id text primary key,
  organization_id text not null references organization,
  connection_id text not null references connection,
  kind text not null check (kind in ('course', 'bundle', 'program', 'class', 'offer', 'voucher', 'subscription')),
  external_id text not null,
  title text not null,
  created_at timestamptz not null,
  unique (external_id, connection_id, kind)
);
create index course_by_organization on course (organization_id, id);
select bursar_protect('course');

create table product (
  id text primary key,
  organization_id text not null references organization,
  name text not null,
  active boolean not null default true,
  created_at timestamptz not null
);
create index product_by_organization on product (organization_id, id);
select bursar_protect('product');

-- What a product opens, frozen: an order line points at the version that was on sale when it was paid.
create table product_version (
  id text primary key,
  organization_id text not null references organization,
  product_id text not null references product,
  version int not null,
  course_ids text[] not null,
  created_at timestamptz not null,
  unique (product_id, version)
);
select bursar_protect('product_version');

-- A price of a payment account and the product it sells.
create table price (
  id text primary key,
  organization_id text not null references organization,
  connection_id text not null references connection,
  product_id text not null references product,
  external_id text not null,
  currency text,
  amount bigint,
  active boolean not null default true,
  created_at timestamptz not null,
  unique (external_id, connection_id)
);
create index price_by_organization on price (organization_id, id);
create index price_by_product on price (product_id);
select bursar_protect('price');

-- Which checkout metadata names which course: the road of shops that carry courseId instead of a mapped price.
create table metadata_map (
  organization_id text not null references organization,
  connection_id text not null references connection,
  key text not null,
  value text not null,
  product_id text not null references product,
  primary key (connection_id, key, value)
);
select bursar_protect('metadata_map');
