import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@bursar/kit/clock.ts'
import pg from 'pg'
import { canReach } from './embedded/place.ts'
import { isAlive } from './embedded/processes.ts'
import { type Embedded, type EmbeddedOptions, startEmbedded } from './embedded.ts'

let folder = ''
let children: ChildProcess[] = []

// One folder for most tests: making a database is the slow part, and finding one is the usual case.
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bursar-embedded-'))
  await chmod(folder, 0o711)
})
afterEach(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL')
  children = []
  await Promise.all(started.map((database) => database.stop()))
  started = []
  const left = await postmaster()
  if (left !== null && isAlive(left)) process.kill(left, 'SIGQUIT')
  if (left !== null) await ended(left)
})
after(() => rm(folder, { recursive: true, force: true }))

let started: Embedded[] = []

async function start(more: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const database = await startEmbedded({ folder, unsafe: true, ...more })
  started.push(database)
  return database
}

async function postmaster(data = path.join(folder, 'postgres')): Promise<number | null> {
  const text = await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => null) // None is an answer too.
  return text === null ? null : Number(text.split('\n')[0])
}

async function ended(pid: number): Promise<void> {
  for (let i = 0; i < 500 && isAlive(pid); i++) await systemClock.sleep(10)
  assert.equal(isAlive(pid), false, `process ${pid} is still there`)
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** The program in a process of its own, so that it can be killed. Resolves when the database is ready. */
async function startElsewhere(unsafe = true): Promise<{ child: ChildProcess; url: string; adopted: boolean }> {
  const module = fileURLToPath(new URL('./embedded.ts', import.meta.url))
  const code = `const { startEmbedded } = await import(${JSON.stringify(module)})
    const e = await startEmbedded({ folder: ${JSON.stringify(folder)}, unsafe: ${unsafe} })
    console.log(JSON.stringify({ url: e.url, adopted: e.adopted }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { child, ...(JSON.parse(line) as { url: string; adopted: boolean }) }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal)
  await once(child, 'exit')
}

test('a first start makes a database within 2 s; the next finds its data on the same port', async () => {
  const from = performance.now()
  const first = await start()
  assert.ok(performance.now() - from < 10_000) // 0.6 s on a quiet machine.
  assert.equal(first.adopted, false)
  await query(first.url, `create table kept as select 42 as answer`)
  await first.stop()
  assert.equal(await postmaster(), null)
  const second = await start()
  assert.equal(second.url, first.url)
  assert.deepEqual(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
  await second.stop()
})

test('it listens on the loopback address only, asks for a password by SCRAM, and keeps it in a private file', async () => {
  const { url, stop } = await start()
  assert.equal((await stat(path.join(folder, 'postgres.json'))).mode & 0o777, 0o600)
  assert.deepEqual(await query(url, 'show listen_addresses'), [{ listen_addresses: '127.0.0.1' }])
  const rules = await query(url, `select distinct auth_method from pg_hba_file_rules`)
  assert.deepEqual(rules, [{ auth_method: 'scram-sha-256' }])
  const wrong = new URL(url)
  wrong.password = 'guess'
  await assert.rejects(query(wrong.href, 'select 1'), { code: '28P01' })
  await stop()
})

test('without `unsafe` every commit reaches the disk', async () => {
  const { url, stop } = await start({ unsafe: false })
  assert.deepEqual(await query(url, 'show fsync'), [{ fsync: 'on' }])
  assert.deepEqual(await query(url, 'show full_page_writes'), [{ full_page_writes: 'on' }])
  await stop()
})

test('after kill -9 of the program the server lives on, and the next start adopts it and turns it off at its end', async () => {
  const { child, url } = await startElsewhere()
  const pid = await postmaster()
  assert.ok(pid !== null)
  await end(child, 'SIGKILL')
  assert.ok(isAlive(pid))
  const next = await start()
  assert.deepEqual([next.adopted, next.url, await postmaster()], [true, url, pid])
  await next.stop()
  assert.equal(isAlive(pid), false)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} leaves no server behind`, async () => {
    const { child } = await startElsewhere()
    const pid = await postmaster()
    assert.ok(pid !== null)
    await end(child, signal)
    await ended(pid)
  })

  test(`${signal} turns an adopted server off as well`, async () => {
    const first = await startElsewhere()
    const pid = await postmaster()
    assert.ok(pid !== null)
    await end(first.child, 'SIGKILL')
    const second = await startElsewhere()
    assert.equal(second.adopted, true)
    await end(second.child, signal)
    await ended(pid)
  })
}

test('killed with the server, the next start recovers what was committed', async () => {
  const { child, url } = await startElsewhere(false)
  const pid = await postmaster()
  assert.ok(pid !== null)
  await query(url, `create table saved as select 43 as answer`)
  await end(child, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  await ended(pid)
  const next = await start()
  assert.equal(next.adopted, false)
  assert.deepEqual(await query(next.url, 'select answer from saved'), [{ answer: 43 }])
  await next.stop()
})

test('a server that is killed while the program lives comes back by itself, with what was committed', async () => {
  const server = await start({ unsafe: false })
  await query(server.url, 'create table revived (n int)')
  await query(server.url, 'insert into revived values (7)')
  const killed = (await postmaster()) ?? Number.NaN
  process.kill(killed, 'SIGKILL')
  for (let i = 0; i < 150 && (await postmaster()) === killed; i++) await systemClock.sleep(100)
  let rows: unknown[] = []
  for (let i = 0; i < 100 && rows.length === 0; i++) {
    // Refused until it listens again; then the rows say that all is well.
    rows = await query(server.url, 'select n from revived').catch(() => [])
    await systemClock.sleep(50)
  }
  assert.deepEqual(rows, [{ n: 7 }])
  assert.notEqual(await postmaster(), killed)
  await server.stop()
  assert.equal(await postmaster(), null)
})

test('a pid file whose number now belongs to another program does not stop the start', async () => {
  const first = await start()
  await first.stop()
  const data = path.join(folder, 'postgres')
  const file = path.join(data, 'postmaster.pid')
  await writeFile(file, `${process.pid}\n${data}\n1700000000\n5432\n\n127.0.0.1\n1 1\nready   \n`)
  const next = await start()
  assert.equal(next.adopted, false)
  await next.stop()
})

test('two programs that start at once share one server, which lives until the second has gone', async () => {
  const [one, two] = await Promise.all([startElsewhere(), startElsewhere()])
  assert.equal(one.url, two.url)
  assert.deepEqual([one.adopted, two.adopted].sort(), [false, true])
  const pid = await postmaster()
  assert.ok(pid !== null)
  const [owner, guest] = one.adopted ? [two, one] : [one, two]
  await end(owner.child, 'SIGTERM')
  assert.deepEqual(await query(guest.url, 'select 1 as one'), [{ one: 1 }])
  await end(guest.child, 'SIGTERM')
  await ended(pid)
})

test('when the stored port is taken by another program a new one is chosen', async () => {
  const first = await start()
  await first.stop()
  const port = Number(new URL(first.url).port)
  const squatter = createServer().listen(port, '127.0.0.1')
  await once(squatter, 'listening')
  const next = await start()
  assert.notEqual(Number(new URL(next.url).port), port)
  await next.stop()
  squatter.close()
})

test('a start that cannot work says why, with the server\u2019s own words', async () => {
  const first = await start()
  await first.stop()
  const conf = path.join(folder, 'postgres', 'postgresql.conf')
  const before = await readFile(conf)
  await writeFile(conf, 'no_such_setting = yes\n')
  await assert.rejects(start(), (error: unknown) => {
    assert.ok(error instanceof Error)
    assert.match(error.message, /did not start/)
    assert.match(error.message, /no_such_setting/)
    return true
  })
  await writeFile(conf, before)
})

const root = process.getuid?.() === 0
test('as root, in a folder that the server\u2019s user cannot enter, the data goes to the system\u2019s place and no mode is changed', {
  skip: root ? false : 'only root runs the server as another user',
}, async () => {
  const home = path.join(folder, 'home')
  const inside = path.join(home, 'data')
  await mkdir(inside, { recursive: true })
  await chmod(home, 0o700)
  const lines: string[] = []
  const moved = await start({ folder: inside, onLog: (line) => lines.push(line) })
  const [where] = (await query(moved.url, 'show data_directory')) as [{ data_directory: string }]
  assert.ok(where.data_directory.startsWith('/var/lib/bursar/'))
  assert.ok(lines.some((line) => line.includes(inside) && line.includes(where.data_directory)))
  assert.equal((await stat(home)).mode & 0o777, 0o700)
  await moved.stop()
  const again = await start({ folder: inside })
  assert.deepEqual(await query(again.url, 'show data_directory'), [where])
  await again.stop()
  await rm(path.dirname(where.data_directory), { recursive: true })
})

test('whether a user can reach a folder follows every folder above it', {
  skip: root ? false : 'needs chown',
}, async () => {
  const user = { uid: 12_345, gid: 12_345 }
  const inner = path.join(folder, 'a', 'b')
  await mkdir(inner, { recursive: true, mode: 0o755 })
  assert.equal(await canReach(inner, user), true)
  await chmod(path.join(folder, 'a'), 0o700)
  assert.equal(await canReach(inner, user), false)
  await chown(path.join(folder, 'a'), user.uid, 0)
  assert.equal(await canReach(inner, user), true)
})
