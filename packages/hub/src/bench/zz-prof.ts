import { openBlackBox } from './black-box.ts'
import { inFolder } from './hub-process.ts'
import pg from 'pg'
await inFolder(async (folder) => {
  const box = await openBlackBox(folder, { answerMs: 20, requests: 0, windowMs: 10000 }, { NODE_OPTIONS: '--cpu-prof --cpu-prof-dir=/tmp/prof' })
  let n = 0
  const lane = async (end: number) => { while (performance.now() < end) { const e = `a${n++}@b.example`; await box.shop.pay(e); await box.school.wait(e) } }
  for (const s of [3, 8]) { const t = performance.now(); const n0 = n; await Promise.all(Array.from({ length: 64 }, () => lane(performance.now() + s * 1000))); console.log((n - n0) / ((performance.now() - t) / 1000), '/s') }
  const c = new pg.Client(box.databaseUrl); await c.connect()
  const probe = async (ms: number) => { const seen = new Map<string, number>(); const end = performance.now()+ms; while (performance.now()<end) { for (const r of (await c.query(`select left(regexp_replace(query,'\\s+',' ','g'),90) q, wait_event_type w, wait_event e from pg_stat_activity where state='active' and pid<>pg_backend_pid()`)).rows) { const k = r.w+' '+r.e+' '+r.q; seen.set(k,(seen.get(k)||0)+1) } await new Promise(r=>setTimeout(r,20)) } console.log([...seen].sort((a,b)=>b[1]-a[1]).slice(0,25).map(([k,v])=>v+' '+k).join('\n')) }
  await Promise.all([probe(4000), ...Array.from({ length: 64 }, () => lane(performance.now() + 4000))])
  console.log((await c.query(`select relname, indexrelname, idx_scan, idx_tup_read from pg_stat_user_indexes order by idx_tup_read desc limit 14`)).rows.map(r=>Object.values(r).join(' ')).join('\n'))
  await c.end()
  await box.close()
})
