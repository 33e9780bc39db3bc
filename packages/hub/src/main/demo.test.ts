import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock, virtualClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type HttpClient } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import Fastify from 'fastify'
import { collectingLog } from '#action/testing.ts'
import { type Demo, startDemo } from './demo.ts'
import { keepMemory, readMemory } from './demo-memory.ts'

let http: HttpClient
const folders: string[] = []
before(() => {
  http = createHttp({ clock: systemClock, random: secureRandom, guard: createGuard({ allowLoopback: true }) })
})
after(async () => {
  await http.close()
  for (const folder of folders) await rm(folder, { recursive: true })
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bursar-demo-'))
  folders.push(folder)
  return folder
}

async function withDemo<T>(folder: string, work: (demo: Demo) => Promise<T>, log = collectingLog()): Promise<T> {
  const demo = await startDemo(folder, log)
  try {
    return await work(demo)
  } finally {
    await demo.stop()
  }
}

async function ask(url: string, body?: unknown) {
  const outcome = await http({
    method: body === undefined ? 'GET' : 'POST',
    url,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  assert.ok(outcome.ok)
  return JSON.parse(outcome.response.body.toString()) as Record<string, unknown>
}

const pricesOf = (demo: Demo) => demo.seed.organizations[0]?.products.map((p) => p.prices[0]?.id)
const newLearner = (demo: Demo, email: string) => ask(`${demo.schoolUrl}/_sim/users`, { email })
const learners = async (demo: Demo) =>
  ((await ask(`${demo.schoolUrl}/_sim/state`)).users as { email: string }[]).map((u) => u.email)

test('what happened is there again: addresses, price ids, people', async () => {
  const folder = await newFolder()
  const first = await withDemo(folder, async (demo) => {
    await newLearner(demo, 'ada@learner.example')
    return { stripe: demo.stripeUrl, school: demo.schoolUrl, prices: pricesOf(demo) }
  })
  await withDemo(folder, async (demo) => {
    assert.deepEqual({ stripe: demo.stripeUrl, school: demo.schoolUrl, prices: pricesOf(demo) }, first)
    assert.ok((await learners(demo)).includes('ada@learner.example'))
  })
})

test('a change is written down within a second, without any goodbye', async () => {
  const folder = await newFolder()
  await withDemo(folder, async (demo) => {
    const file = path.join(folder, 'simulators.bin')
    const before = await readFile(file).catch(() => Buffer.alloc(0))
    await newLearner(demo, 'bea@learner.example')
    await systemClock.sleep(700)
    assert.notDeepEqual(await readFile(file), before)
    assert.equal((await stat(file)).mode & 0o077, 0, 'readable by its owner only')
  })
})

test('a port that somebody else took is replaced, and the rest is remembered', async () => {
  const folder = await newFolder()
  const first = await withDemo(folder, async (demo) => ({ url: demo.stripeUrl, prices: pricesOf(demo) }))
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(Number(new URL(first.url).port), '127.0.0.1', resolve))
  await withDemo(folder, async (demo) => {
    assert.notEqual(demo.stripeUrl, first.url)
    assert.deepEqual(pricesOf(demo), first.prices)
  })
  await new Promise((resolve) => other.close(resolve))
})

test('a provider that was reset has its shelf filled again at the next start', async () => {
  const folder = await newFolder()
  const before = await withDemo(folder, async (demo) => {
    await ask(`${demo.stripeUrl}/_sim/reset`, {})
    return pricesOf(demo)
  })
  await withDemo(folder, async (demo) => {
    const state = (await ask(`${demo.stripeUrl}/_sim/state`)).prices as { id: string }[]
    assert.deepEqual(
      pricesOf(demo),
      state.map((p) => p.id),
    )
    assert.notDeepEqual(pricesOf(demo), before)
  })
})

test('a memory of another version or with a flipped bit is told once and left alone', async () => {
  const folder = await newFolder()
  await withDemo(folder, (demo) => newLearner(demo, 'cem@learner.example'))
  const file = path.join(folder, 'simulators.bin')
  const bytes = await readFile(file)
  bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1
  await writeFile(file, bytes)
  const log = collectingLog()
  await withDemo(folder, async (demo) => assert.ok(!(await learners(demo)).includes('cem@learner.example')), log)
  assert.equal(log.lines.filter((l) => l.level === 'warn').length, 1)
  assert.notEqual(await readMemory(folder, log), null, 'the new school is written down')
})

test('two demos in one folder are refused, and the claim of a killed one is taken over', async () => {
  const folder = await newFolder()
  await withDemo(folder, () => assert.rejects(startDemo(folder, collectingLog()), /a demo runs in this folder already/))
  await writeFile(path.join(folder, 'simulators.lock'), JSON.stringify({ pid: process.pid, birth: 'another' }))
  await withDemo(folder, async () => undefined)
})

test('a disk that does not take the memory is told once and tried again', async () => {
  const clock = virtualClock()
  const log = collectingLog()
  let version = 1
  let full = true
  const written: number[] = []
  const keeper = keepMemory({
    clock,
    log,
    version: () => String(version),
    write: async () => {
      if (full) throw new Error('no space')
      written.push(version)
    },
  })
  for (let i = 0; i < 4; i++) await clock.advance(10_000)
  full = false
  for (let i = 0; i < 4; i++) await clock.advance(10_000)
  version = 2
  await keeper.stop()
  assert.deepEqual(written, [1, 2])
  assert.equal(log.lines.length, 1)
})

test('the sandbox is JSON for programs, and for people a page without any script', async () => {
  await withDemo(await newFolder(), async (demo) => {
    const fastify = Fastify()
    demo.routes(fastify)
    const json = await fastify.inject({ url: '/sandbox' })
    assert.equal((json.json() as { prices: unknown[] }).prices.length, 4)
    const page = await fastify.inject({ url: '/sandbox', headers: { accept: 'text/html,*/*' } })
    assert.match(String(page.headers['content-security-policy']), /^default-src 'none'; style-src 'sha256-/)
    assert.doesNotMatch(page.body, /<script|\son\w+=|<link|@import|url\(/)
    assert.match(page.body, /<html lang="en">/)
    await fastify.close()
  })
})
