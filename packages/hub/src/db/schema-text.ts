import pg from 'pg'

/*
 * The schema as text, from the catalog (the embedded PostgreSQL brings no pg_dump). For reviewers: a migration shows
 * what changes, this shows what results. Only our schema; the job library's own is pinned by its version.
 */
const parts: readonly { readonly title: string; readonly query: string }[] = [
  {
    title: 'tables',
    query: `
      select 'table ' || quote_ident(c.relname)
          || case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end
          || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') || E'\\n'
          || string_agg('  ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
               || case when a.attnotnull then ' not null' else '' end
               || case when a.attidentity <> '' then ' generated as identity' else '' end
               || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''), E'\\n' order by a.attname) as text
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      group by c.oid, c.relname, c.relkind, c.reloptions order by c.relname`,
  },
  {
    title: 'constraints',
    query: `
      select conrelid::regclass || ' ' || quote_ident(conname) || ': ' || pg_get_constraintdef(k.oid) as text
      from pg_constraint k join pg_class c on c.oid = k.conrelid
      where c.relnamespace = 'public'::regnamespace and k.contype <> 'n' and not c.relispartition
      order by conrelid::regclass::text, conname`,
  },
  {
    title: 'indexes',
    query: `
      select indexdef as text from pg_indexes i join pg_class c on c.oid = format('%I.%I', i.schemaname, i.tablename)::regclass
      where schemaname = 'public' and not c.relispartition order by i.tablename, indexname`,
  },
  {
    title: 'row security',
    query: `
      select quote_ident(c.relname) || case when relforcerowsecurity then ' forced' else ' enabled' end || coalesce(E'\\n' || (
          select string_agg('  ' || policyname || ' to ' || array_to_string(roles, ', ') || ' for ' || cmd
            || coalesce(' using ' || qual, '') || coalesce(' check ' || with_check, ''), E'\\n' order by policyname)
          from pg_policies p where p.schemaname = 'public' and p.tablename = c.relname), '') as text
      from pg_class c where c.relnamespace = 'public'::regnamespace and relrowsecurity order by c.relname`,
  },
  {
    title: 'grants',
    query: `
      select grantee || ' on ' || quote_ident(table_name) || ': ' || string_agg(lower(privilege_type), ', ' order by privilege_type) as text
      from information_schema.role_table_grants where table_schema = 'public' and grantee like 'bursar\\_%'
      group by grantee, table_name order by table_name, grantee`,
  },
  {
    title: 'functions',
    query: `
      select pg_get_functiondef(p.oid) || coalesce(E'\\n-- may be called by: ' || (
          select string_agg(case when x.grantee = 0 then 'everyone' else x.grantee::regrole::text end, ', ' order by x.grantee::regrole::text)
          from aclexplode(p.proacl) x where x.grantee <> p.proowner), '') as text
      from pg_proc p where p.pronamespace = 'public'::regnamespace order by p.proname, pg_get_function_identity_arguments(p.oid)`,
  },
  {
    title: 'triggers',
    query: `
      select pg_get_triggerdef(t.oid) as text from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where not t.tgisinternal and (c.relnamespace = 'public'::regnamespace or t.tgname like 'bursar\\_%')
      order by c.relname, t.tgname`,
  },
]

/** The text of schema.generated.sql for a migrated database. The same schema gives the same text. */
export async function schemaText(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    let text = '-- Generated from the migrations by npm run generate. Read it, do not edit it.\n'
    for (const { title, query } of parts) {
      const { rows } = await client.query<{ text: string }>(query)
      text += `\n-- ${title}\n\n${rows.map((row) => row.text.trimEnd()).join(title === 'tables' || title === 'functions' ? '\n\n' : '\n')}\n`
    }
    return text
  } finally {
    await client.end()
  }
}
