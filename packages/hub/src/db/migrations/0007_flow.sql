-- What moves the work: jobs, the nodes that run them, schedules, rate budgets and breakers.

-- Adds jobs in the caller's transaction. The job tables belong to the library's own schema, which our roles cannot
-- reach; this function is their only door. One element per job: task, payload, key, runAt, priority, keyMode.
create function bursar_enqueue(jobs jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  specs graphile_worker.job_spec[];
  mode text;
  job jsonb;
begin
  foreach mode in array array['replace', 'preserve_run_at'] loop
    specs := array(
      select row(
        j->>'task', (j->'payload')::json, null, (j->>'runAt')::timestamptz, (j->>'maxAttempts')::smallint,
        j->>'key', (j->>'priority')::smallint, null
      )::graphile_worker.job_spec
      from jsonb_array_elements(jobs) with ordinality as e(j, n)
      where coalesce(j->>'keyMode', 'replace') = mode
      order by n);
    if cardinality(specs) > 0 then
      perform graphile_worker.add_jobs(specs, mode = 'preserve_run_at');
    end if;
  end loop;
  for job in select j from jsonb_array_elements(jobs) with ordinality as e(j, n)
             where j->>'keyMode' = 'unsafe_dedupe' order by n loop
    perform graphile_worker.add_job(
      identifier => job->>'task', payload => (job->'payload')::json, run_at => (job->>'runAt')::timestamptz,
      max_attempts => (job->>'maxAttempts')::int, job_key => job->>'key', priority => (job->>'priority')::int,
      job_key_mode => 'unsafe_dedupe');
  end loop;
end $$;
revoke execute on function bursar_enqueue(jsonb) from public;
grant execute on function bursar_enqueue(jsonb) to bursar_app, bursar_system;

-- How a job's fate is written. The worker ends a job that did not succeed by the library's own statement, with our
-- verdict as the error text: 'bursar:{"runAt":…,"error":…,"snooze":true}'. This trigger carries it out in the same
-- statement, so that there is no moment in which the job stands free with the wrong time. A snooze gives the attempt
-- back. A job that was replaced while it ran (its key taken by a newer one) has nothing left to do and goes.
create function bursar_job_released() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  verdict jsonb;
begin
  if new.flags ? 'superseded' then
    delete from graphile_worker._private_jobs where id = new.id;
  elsif starts_with(new.last_error, 'bursar:') then
    verdict := substr(new.last_error, 8)::jsonb;
    update graphile_worker._private_jobs set
      run_at = (verdict->>'runAt')::timestamptz,
      attempts = case when verdict ? 'snooze' then greatest(0, attempts - 1) else attempts end,
      last_error = case when verdict ? 'snooze' then old.last_error else verdict->>'error' end
    where id = new.id;
  end if;
  return null;
end $$;
create trigger bursar_released after update on graphile_worker._private_jobs
  for each row when (old.locked_at is not null and new.locked_at is null)
  execute function bursar_job_released();

-- The library takes the key from a job that is running or dead when a newer one claims it, and uses up its attempts.
create function bursar_job_superseded() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.flags := coalesce(new.flags, '{}') || '{"superseded": true}';
  return new;
end $$;
create trigger bursar_superseded before update on graphile_worker._private_jobs
  for each row when (old.key is not null and new.key is null and new.locked_at is not null)
  execute function bursar_job_superseded();
create function bursar_job_replaced() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  delete from graphile_worker._private_jobs where id = new.id;
  return null;
end $$;
create trigger bursar_replaced after update on graphile_worker._private_jobs
  for each row when (old.key is not null and new.key is null and new.locked_at is null)
  execute function bursar_job_replaced();

-- Jobs that used up their attempts, newest first. A job whose worker was killed at the last attempt has no error text.
create function bursar_dead_jobs(before_id bigint, page int)
  returns table (id bigint, task text, payload json, key text, attempts int, error text, failed_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select j.id, t.identifier, j.payload, j.key, j.attempts::int, j.last_error, j.updated_at
  from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
  where j.attempts >= j.max_attempts and j.locked_at is null and (before_id is null or j.id < before_id)
  order by j.id desc limit page
$$;

-- The same, counted by task and cause. Numbers and ids in the text are what makes equal causes look different.
create function bursar_dead_job_groups()
  returns table (task text, error text, jobs int, latest timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.identifier, regexp_replace(j.last_error, '[a-z]{2,8}_[0-9a-z]{26}|\d+', '#', 'g'), count(*)::int, max(j.updated_at)
  from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
  where j.attempts >= j.max_attempts and j.locked_at is null
  group by 1, 2 order by 3 desc, 1, 2 limit 200
$$;

-- Gives a dead job a fresh start; false when there is no such dead job.
create function bursar_revive_job(job_id bigint, at timestamptz) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update graphile_worker._private_jobs set attempts = 0, run_at = at, last_error = null, updated_at = at
  where id = job_id and attempts >= max_attempts and locked_at is null;
  return found;
end $$;

-- Whether a job with this key waits or runs. A schedule asks before it starts another.
create function bursar_job_pending(job_key text) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from graphile_worker._private_jobs where key = job_key and (locked_at is not null or attempts < max_attempts))
$$;

revoke execute on function
    bursar_dead_jobs(bigint, int), bursar_dead_job_groups(), bursar_revive_job(bigint, timestamptz), bursar_job_pending(text)
  from public;
grant execute on function
    bursar_dead_jobs(bigint, int), bursar_dead_job_groups(), bursar_revive_job(bigint, timestamptz), bursar_job_pending(text)
  to bursar_system;

-- The processes that work. Each holds a session advisory lock on its id; a row whose lock is free belongs to a dead
-- process, and its jobs and leases are freed.
create table node (
  id text primary key,
  started_at timestamptz not null default now(),
  -- Set by the reaper with the freeing of its jobs: a process that finds it set has been taken for dead.
  dead_at timestamptz
);

-- How many calls a connection may make. One row per connection; its lock is the order of all who ask, on every host.
-- Times are milliseconds since the epoch.
create table rate_budget (
  connection_id text primary key references connection on delete cascade,
  -- The last grants, oldest first.
  granted bigint[] not null default '{}',
  -- Per lane, 1 = interactive … 5 = full: when those who were refused will come back.
  waiting jsonb not null default '[[],[],[],[],[]]',
  -- When a sync lane was served last.
  synced bigint not null default 0,
  blocked_until bigint not null default 0,
  halved_until bigint not null default 0
) with (fillfactor = 50);
grant select, insert, update, delete on rate_budget to bursar_system;

-- Grants one call, or says in how many milliseconds to ask again. 0 = go.
--   * At most `requests` grants in any window of `window_ms` and 250 ms more, because a call arrives later than it was
--     granted, and not always by the same amount.
--   * Whoever is refused is told the moment when the slot that is theirs frees, behind those who wait already.
--   * A lane leaves the free slots to the higher lanes that wait. Who does not come back within 5 s is forgotten: jobs
--     that were put back start late when thirty start at once, and a lost place costs a whole window.
--   * The two sync lanes take one slot per (window_ms + 250) / requests, so that the oldest grant is never far from its end
--     and a higher lane waits about one such step.
create function bursar_take_slot(connection text, lane int, requests int, window_ms int, cost int, at bigint)
  returns int language plpgsql as $$
declare
  margin_ms constant int := 250;
  return_ms constant int := 5000;
  waiting_max constant int := 200;
  b rate_budget;
  t bigint;
  span bigint := window_ms + margin_ms;
  room int;
  ahead int := 0;
  higher int := 0;
  due bigint := 0;
  nth int;
  mine bigint[];
  lanes jsonb := '[]';
  returned boolean := false;
begin
  -- A crash of the machine may forget the last half second of grants; waiting for the disk would cost more than that.
  perform set_config('synchronous_commit', 'off', true);
  select * into b from rate_budget r where r.connection_id = bursar_take_slot.connection for update;
  if not found then
    insert into rate_budget (connection_id) values (connection) on conflict do nothing;
    select * into b from rate_budget r where r.connection_id = bursar_take_slot.connection for update;
  end if;
  -- Read after the lock was ours, so that time never runs backwards within a row.
  t := greatest(coalesce(at, floor(extract(epoch from clock_timestamp()) * 1000)::bigint),
                coalesce(b.granted[cardinality(b.granted)], 0));
  if t < b.halved_until then requests := greatest(1, requests / 2); end if;
  cost := least(cost, requests);

  b.granted := array(select g from unnest(b.granted) with ordinality as u(g, n) where g > t - span order by n);
  for i in 1..5 loop
    mine := array(select w::bigint from jsonb_array_elements_text(b.waiting->(i - 1)) with ordinality as u(w, n)
                  where w::bigint + return_ms > t order by n);
    if i = lane and mine[1] <= t then
      mine := mine[2:];
      returned := true;
    end if;
    if i < lane then higher := higher + cardinality(mine); end if;
    if i <= lane then ahead := ahead + cardinality(mine); end if;
    lanes := lanes || jsonb_build_array(to_jsonb(mine));
  end loop;
  room := requests - cardinality(b.granted);

  if t < b.blocked_until then due := b.blocked_until; end if;
  if lane >= 4 then due := greatest(due, b.synced + span / requests); end if;
  if room < cost + higher then
    -- The nth grant from the oldest must end before it is our turn; past the ring, its grants come round once more.
    nth := cost - room + ahead;
    if cardinality(b.granted) = 0 then
      due := greatest(due, t + window_ms / requests);
    else
      due := greatest(due, b.granted[1 + (nth - 1) % cardinality(b.granted)] + span * (1 + (nth - 1) / cardinality(b.granted)));
    end if;
  end if;

  if due > t then
    mine := array(select w::bigint from jsonb_array_elements_text(lanes->(lane - 1)) as u(w) order by w::bigint);
    if cardinality(mine) < waiting_max then
      lanes := jsonb_set(lanes, array[(lane - 1)::text],
        to_jsonb(array(select w from unnest(mine || due) as u(w) order by w)));
    end if;
    update rate_budget r set waiting = lanes where r.connection_id = bursar_take_slot.connection;
    return least(due - t, 2147483647)::int;
  end if;
  update rate_budget r set waiting = lanes, granted = b.granted || array_fill(t, array[cost]),
    synced = case when lane >= 4 then t else synced end
  where r.connection_id = bursar_take_slot.connection;
  return 0;
end $$;
revoke execute on function bursar_take_slot(text, int, int, int, int, bigint) from public;
grant execute on function bursar_take_slot(text, int, int, int, int, bigint) to bursar_system;

-- One breaker per connection: closed lets calls through, open freezes them until probe_at.
create table breaker (
  connection_id text primary key references connection on delete cascade,
  organization_id text not null references organization,
  state text not null default 'closed' check (state in ('closed', 'open')),
  -- Why it opened; null while closed.
  cause text check (cause in ('unavailable', 'unauthorized')),
  failures int not null default 0,
  opened_at timestamptz,
  -- When the next probe may go; while one is on its way, when it is given up.
  probe_at timestamptz,
  probing boolean not null default false,
  probe_interval_ms int not null default 0
);
select bursar_protect('breaker');

-- What runs again and again. The job of a schedule has the key schedule:<id>.
create table schedule (
  id text primary key,
  name text not null unique,
  task text not null,
  payload jsonb not null,
  cron text not null,
  timezone text not null,
  enabled boolean not null default true,
  last_run_at timestamptz,
  -- When a run was left out because the one before was not done.
  last_skipped_at timestamptz,
  next_run_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index schedule_due on schedule (next_run_at) where enabled;
grant select, insert, update, delete on schedule to bursar_system;

-- Partitions of one day each (UTC) for a table partitioned by range over a timestamptz. They are the owner's to make,
-- so these two run as the owner; they touch nothing but such tables. A partition is made beside its parent and then
-- attached, which does not stop readers and writers.
create function bursar_ensure_partitions(parent regclass, from_day date, days int) returns int
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  made int := 0;
  day date;
  part text;
  parent_name text;
begin
  select c.relname into parent_name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = parent and c.relkind = 'p' and n.nspname = 'public';
  if parent_name is null then raise exception '% is not a partitioned table of ours', parent; end if;
  -- 7216404: any constant; one process makes partitions at a time.
  perform pg_advisory_xact_lock(7216404, parent::oid::bigint::bit(32)::int);
  for day in select from_day + n from generate_series(0, days - 1) n loop
    part := parent_name || '_p' || to_char(day, 'YYYYMMDD');
    continue when exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                          where n.nspname = 'public' and c.relname = part);
    execute format('create table public.%I (like public.%I including defaults including constraints including storage)',
                   part, parent_name);
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
                   parent_name, part, day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00');
    made := made + 1;
  end loop;
  return made;
end $$;

create function bursar_drop_partitions(parent regclass, before_day date) returns int
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  dropped int := 0;
  part record;
begin
  -- Dropping locks the parent for a moment; rather try again later than make everyone queue behind a long reader.
  perform set_config('lock_timeout', '2s', true);
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      join pg_namespace n on n.oid = p.relnamespace
    where i.inhparent = parent and p.relkind = 'p' and n.nspname = 'public' and c.relname ~ '_p\d{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
    order by c.relname
  loop
    execute format('drop table public.%I', part.relname);
    dropped := dropped + 1;
  end loop;
  return dropped;
end $$;
revoke execute on function bursar_ensure_partitions(regclass, date, int), bursar_drop_partitions(regclass, date) from public;
grant execute on function bursar_ensure_partitions(regclass, date, int), bursar_drop_partitions(regclass, date) to bursar_system;
