import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CodedError } from '@bursar/kit/errors.ts'
import { type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
before(async () => {
  world = await testProvider()
})
after(() => world.close())

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'ok'
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
}
const from = (address: string) => ({ organization: null, address, userAgent: null })
const hex = (n: number) => n.toString(16)

test('a network is counted as one, however many addresses it has', async () => {
  const ask = (n: number, address: string) => codeOf(world.provider.requestCode(`n${n}@net.example`, from(address)))
  for (let n = 0; n < 30; n++) assert.equal(await ask(n, `2001:db8:7:8:${hex(n + 1)}::${hex(n + 1)}`), 'ok')
  assert.equal(await ask(30, '2001:db8:7:8:ffff::1'), 'rate_limited')
  assert.equal(await ask(31, '2001:db8:7:9::1'), 'ok', 'the next network is somebody else')
})

test('one address in two spellings is one address', async () => {
  let guesses = 0
  const guess = (address: string) =>
    codeOf(world.provider.verifyCode(`g${++guesses}@net.example`, '000000', from(address)))
  for (let n = 0; n < 50; n++) {
    assert.equal(await guess('198.51.100.9'), 'ok')
    assert.equal(await guess('::ffff:198.51.100.9'), 'ok')
  }
  assert.equal(await guess('198.51.100.9'), 'rate_limited')
  assert.equal(await guess('::ffff:c633:6409'), 'rate_limited')
})
