import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { freePort, type Program, stage } from './start-testing.ts'

const on = stage()
let folder: string
let elsewhere: string
let hub: Program
let stranger: Server
let strangerUrl: string
before(async () => {
  ;[folder, elsewhere] = [await on.folder(), await on.folder()]
  hub = await on.start(folder, { PORT: String(await freePort()) })
  stranger = createServer((_, response) => response.end('<h1>Another program</h1>'))
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  strangerUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`
})
after(async () => {
  await hub.end('SIGTERM')
  await new Promise((resolve) => stranger.close(resolve))
  await on.clean()
})

test('demo purchase tells the story to an open seat and ends with a link', async () => {
  const { code, out, err } = await on.bursar(folder, ['demo', 'purchase', '--email', 'ada@learner.example'])
  assert.equal(code, 0, err)
  assert.match(out, /^ada@learner\.example buys "Sourdough basics" for \$49\.00/)
  assert.match(out, /The seat is open at Harbour School\./)
  assert.match(out, /^● Sourdough basics +Open at Harbour School/m)
  assert.match(out, new RegExp(`^${hub.url}/api/partner-launch/enr_\\w+\\?token=[\\w-]{43}$`, 'm'))
})

test('a price is chosen by name or id; a bundle and a subscription open too', async () => {
  for (const name of ['the baker', 'All courses, monthly']) {
    const { code, out, err } = await on.bursar(folder, ['demo', 'purchase', '--json', '--price', name])
    assert.equal(code, 0, err)
    const { price, links } = JSON.parse(out) as { price: string; links: unknown[] }
    assert.equal(links.length, 1)
    if (name !== 'the baker') continue
    const again = await on.bursar(folder, ['demo', 'purchase', '--json', '--price', price])
    assert.equal(again.code, 0, again.err)
  }
})

test('what is not on sale is refused with what is, also as one object', async () => {
  const plain = await on.bursar(folder, ['demo', 'purchase', '--price', 'gold'])
  assert.equal(plain.code, 2)
  assert.match(plain.err, /Nothing on sale is called "gold"\.\nOn sale: "Sourdough basics"/)
  const json = await on.bursar(folder, ['demo', 'purchase', '--price', 'gold', '--json'])
  assert.equal((JSON.parse(json.out) as { error: { code: string } }).error.code, 'usage')
  assert.equal((await on.bursar(folder, ['demo', 'purchase', '--email', 'nobody'])).code, 2)
})

test('without a demo it says how to start one, and another program is not taken for one', async () => {
  const none = ['demo', 'purchase', '--url', `http://127.0.0.1:${await freePort()}`]
  const silent = await on.bursar(elsewhere, none)
  assert.equal(silent.code, 3)
  assert.match(silent.err, /No demo runs at .+\nStart one with npm start/)
  const json = await on.bursar(elsewhere, [...none, '--json'])
  assert.deepEqual(Object.keys(JSON.parse(json.out) as object), ['error'])
  const other = await on.bursar(elsewhere, ['demo', 'purchase', '--url', strangerUrl])
  assert.equal(other.code, 1)
  assert.match(other.err, /is not a demo/)
})

test('doctor finds everything well, and says what is not', async () => {
  const well = await on.bursar(folder, ['doctor', '--json'])
  assert.equal(well.code, 0, well.out)
  const report = JSON.parse(well.out) as { healthy: boolean; checks: { what: string }[] }
  assert.equal(report.healthy, true)
  for (const what of ['Hub', 'Database', 'Harbour School', 'Stripe'])
    assert.ok(
      report.checks.some((c) => c.what === what),
      what,
    )
  const gone = await on.bursar(elsewhere, ['doctor', '--url', `http://127.0.0.1:${await freePort()}`])
  assert.equal(gone.code, 3)
  assert.match(gone.out, /^problem +Hub: no answer/m)
  const noKey = await on.bursar(elsewhere, ['doctor', '--url', hub.url])
  assert.equal(noKey.code, 1)
  assert.match(noKey.out, /^problem +Connections: /m)
})

test('bursar start starts the same program as npm start, with the same exit codes', async () => {
  const { code, err } = await on.bursar(elsewhere, ['start'], { NODE_ENV: 'production' })
  assert.equal(code, 2)
  assert.match(err, /^Bursar cannot start:/)
})
