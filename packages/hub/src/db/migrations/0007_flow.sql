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
