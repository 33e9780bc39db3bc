import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { defineActions } from '#action/define.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import { identityActions } from '#identity/actions.ts'
import { createKey } from '#identity/keys.ts'
import { createServer, type Server } from './server.ts'

const program = fileURLToPath(new URL('../../bin/bursar.js', import.meta.url))

let it: TestApp
let server: Server
let url: string
let key: string
let folder: string

type Ran = { readonly code: number | null; readonly signal: string | null; readonly out: string; readonly err: string }
type How = {
  readonly env?: Record<string, string>
  readonly cwd?: string
  readonly stdin?: string
  readonly node?: string
}

/** The program as a real process, without whatever Bursar settings the machine has. */
function run(args: readonly string[], how: How = {}): Promise<Ran> {
  const child = spawn(how.node ?? process.execPath, [program, ...args], {
    cwd: how.cwd ?? folder,
    env: { PATH: '/usr/bin:/bin', ...(how.env ?? { BURSAR_URL: url, BURSAR_KEY: key }) },
  })
  child.stdin.end(how.stdin ?? '')
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out, err })))
}

const countKeys = async () => (await it.rows('select from api_key')).length

before(async () => {
  it = await testApp()
  const organization = await it.organization('first')
  const made = await it.app.db.tx('system', (tx) =>
    createKey(tx, it.app, { organization, name: 'CLI', scopes: ['*'], expiresAt: null }),
  )
  key = made.secret
  server = await createServer(it.app, { registry: defineActions(identityActions), ready: () => true })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
  folder = await mkdtemp(path.join(tmpdir(), 'bursar-cli-'))
})
after(async () => {
  await server.stop()
  await it.close()
  await rm(folder, { recursive: true })
})

test('without arguments it lists every action, grouped', async () => {
  const { code, out } = await run([])
  assert.equal(code, 0)
  for (const { name } of identityActions) assert.ok(out.includes(name), name)
  assert.match(out, /^keys$/m)
})

test('an older Node hands over: same answer, same exit codes, same standard input', async (t) => {
  const system = '/usr/bin/node'
  const version = await new Promise<string>((resolve) => {
    const child = spawn(system, ['--version'])
    child.on('error', () => resolve(''))
    child.stdout.on('data', (chunk: Buffer) => resolve(chunk.toString()))
  })
  if (!/^v(1\d|2[0-3])\./.test(version)) return t.skip(`${system} is not an older Node: ${version}`)
  const good = await run(['organizations.get', '--json'], { node: system })
  assert.equal(good.code, 0, good.err)
  assert.equal(JSON.parse(good.out).slug, 'first')
  assert.equal((await run(['organizations.create', '--name', 'N', '--slug', 'nn'], { node: system })).code, 1)
  assert.equal((await run(['nothing.here'], { node: system })).code, 2)
  const piped = await run(['organizations.update', '-', '--json'], { node: system, stdin: '{"graceDays": 3}' })
  assert.equal(JSON.parse(piped.out).graceDays, 3)
})

test('a signal reaches the newer Node, and the older one ends by it', async (t) => {
  const silent = createTcp(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  const port = typeof address === 'object' ? address?.port : 0
  const child = spawn('/usr/bin/node', [program, 'organizations.get', '--url', `http://127.0.0.1:${port}`])
  const ended = new Promise<string | null>((resolve) => child.on('close', (_, signal) => resolve(signal)))
  const failed = new Promise<boolean>((resolve) => child.on('error', () => resolve(true)))
  const connected = new Promise<boolean>((resolve) => silent.on('connection', () => resolve(false)))
  if (await Promise.race([failed, connected])) t.skip('there is no /usr/bin/node')
  else {
    child.kill('SIGTERM')
    assert.equal(await ended, 'SIGTERM')
  }
  silent.close()
})

test('fields become JSON of their kind, in both spellings, and lists may be repeated or separated by commas', async () => {
  const first = await run(['organizations.update', '--grace-days', '14', '--disputePolicy=keep', '--json'])
  assert.equal(first.code, 0, first.err)
  const { graceDays, disputePolicy } = JSON.parse(first.out)
  assert.deepEqual([graceDays, disputePolicy], [14, 'keep'])
  const scopes = ['--scopes', 'orders:read,catalog:read', '--scopes', 'keys:read']
  const made = await run(['keys.create', '--name', 'Three scopes', ...scopes, '--json'])
  assert.deepEqual(JSON.parse(made.out).key.scopes, ['orders:read', 'catalog:read', 'keys:read'])
})

test('a whole input comes from text, a file or standard input, and single fields go on top', async () => {
  await writeFile(path.join(folder, 'input.json'), '{"graceDays": 1, "name": "From a file"}')
  const file = await run(['organizations.update', '--input', '@input.json', '--grace-days', '2', '--json'])
  assert.deepEqual([JSON.parse(file.out).name, JSON.parse(file.out).graceDays], ['From a file', 2])
  const piped = await run(['organizations.update', '--input', '-', '--json'], { stdin: '{"name":"Piped"}' })
  assert.equal(JSON.parse(piped.out).name, 'Piped')
})

test('people get aligned lines and tables; times are readable', async () => {
  const one = await run(['organizations.get'])
  assert.match(one.out, /^Slug +first$/m)
  assert.match(one.out, /^Created at +2026-01-05 09:00:00 UTC$/m)
  const many = await run(['keys.list', '--limit', '1'])
  assert.match(many.out, /Three scopes/)
})

test('a dry run says so and changes nothing', async () => {
  const before = await countKeys()
  const { code, err } = await run(['keys.create', '--name', 'Dry', '--scopes', 'orders:read', '--dry-run'])
  assert.deepEqual([code, await countKeys()], [0, before])
  assert.match(err, /nothing was changed/)
})

test('the same idempotency key takes effect once', async () => {
  const before = await countKeys()
  const args = ['keys.create', '--name', 'Once', '--scopes', 'orders:read', '--idempotency-key', 'cli-1']
  await run(args)
  const again = await run(args)
  assert.deepEqual([again.code, await countKeys()], [0, before + 1])
  assert.match(again.err, /Done before/)
})

test('exit 1: a refusal is a sentence, a way out and a trace id; with --json one object', async () => {
  const refused = await run(['keys.create', '--name', '', '--scopes', 'nonsense'])
  assert.equal(refused.code, 1)
  assert.match(refused.err, /name/)
  assert.match(refused.err, /scopes\[0\]/)
  assert.match(refused.err, /\(input_invalid, trace trc_\w+\)/)
  assert.equal(refused.out, '')
  const machine = await run(['keys.revoke', '--key-id', `key_${'0'.repeat(26)}`, '--json'])
  assert.equal(machine.code, 1)
  assert.equal(JSON.parse(machine.out).error.code, 'not_found')
  assert.equal(machine.out.trim().split('\n').length, 1)
})

test('exit 2: unknown actions, fields and values each say what would be right', async () => {
  const cases: [string[], RegExp][] = [
    [['keys.crate'], /keys\.create/],
    [['keys', 'list'], /keys\.list/],
    [['keys'], /keys\.create, keys\.list, keys\.revoke/],
    [['keys.create', '--nam', 'x'], /--name/],
    [['keys.create', 'x'], /--field value/],
    [['organizations.update', '--grace-days', 'many'], /--grace-days must be a number/],
    [['organizations.update', '--grace-days'], /needs a value/],
    [['organizations.update', '--input', '[1]'], /not a JSON object/],
    [['organizations.update', '--input', '@missing.json'], /ENOENT/],
    [['organizations.get', '--url', 'ftp://x'], /not the address of a hub/],
    [['completion', 'csh'], /bash, zsh or fish/],
  ]
  const results = await Promise.all(cases.map(([args]) => run(args)))
  for (const [i, result] of results.entries()) {
    assert.equal(result.code, 2, cases[i]?.[0].join(' '))
    assert.match(result.err, cases[i]?.[1] ?? /never/)
  }
  assert.equal(JSON.parse((await run(['keys.crate', '--json'])).out).error.code, 'usage')
})

test('exit 3: nobody answers, or somebody who is not Bursar', async () => {
  const nobody = { BURSAR_URL: 'http://127.0.0.1:9', BURSAR_KEY: key }
  const gone = await run(['organizations.get'], { env: nobody })
  assert.equal(gone.code, 3)
  assert.match(gone.err, /npm start/)
  assert.equal(JSON.parse((await run(['organizations.get', '--json'], { env: nobody })).out).error.code, 'unreachable')
})

test('the address and key of a running demo are found in its data folder, and a foreign address gets neither', async () => {
  const place = path.join(folder, 'demo')
  await mkdir(path.join(place, '.bursar'), { recursive: true })
  await writeFile(path.join(place, '.bursar', 'run.json'), JSON.stringify({ url, key }))
  assert.equal((await run(['organizations.get'], { env: {}, cwd: place })).code, 0)
  const elsewhere = url.replace('127.0.0.1', 'localhost')
  const other = await run(['organizations.get', '--url', elsewhere], { env: {}, cwd: place })
  assert.equal(other.code, 1)
  assert.match(other.err, /--key or BURSAR_KEY/)
  await writeFile(path.join(place, '.bursar', 'run.json'), JSON.stringify({ url: 'http://127.0.0.1:9' }))
  const mixed = await run(['organizations.get'], { env: { BURSAR_KEY: key }, cwd: place })
  assert.match(mixed.err, /No answer from http:\/\/127\.0\.0\.1:8787/)
})

test('help for one action has its fields, scope and a request to copy', async () => {
  const { code, out } = await run(['keys.create', '--help'])
  assert.equal(code, 0)
  for (const text of ['--expires-at', 'keys:write', 'curl -X POST', 'required']) assert.ok(out.includes(text), text)
})

test('the bash completion completes actions and then their fields', async () => {
  const { out } = await run(['completion', 'bash'])
  const ask = (words: string, index: number) =>
    `COMP_WORDS=(${words}); COMP_CWORD=${index}; _bursar; echo "\${COMPREPLY[@]}"`
  const script = `${out}\n${ask('bursar keys.r', 1)}\n${ask('bursar keys.revoke --key-', 2)}`
  const shell = spawn('bash', ['-c', script])
  const text = await new Promise<string>((resolve) => {
    let all = ''
    shell.stdout.on('data', (chunk: Buffer) => {
      all += chunk.toString()
    })
    shell.on('close', () => resolve(all))
  })
  assert.deepEqual(text.trim().split('\n'), ['keys.revoke', '--key-id'])
})
