import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodedError } from './errors.ts'
import { createSecretBox } from './secretbox.ts'

const old = { id: 'k1', key: Buffer.alloc(32, 1) }
const fresh = { id: 'k2', key: Buffer.alloc(32, 2) }
const aad = 'connection.secret/con_1'

test('what is sealed opens again, and never looks the same twice', () => {
  const box = createSecretBox([old])
  const sealed = box.seal('pässwörd', aad)
  assert.equal(box.open(sealed, aad), 'pässwörd')
  assert.equal(box.open(new Uint8Array(sealed), aad), 'pässwörd')
  assert.equal(box.open(box.seal('', aad), aad), '')
  assert.notDeepEqual(box.seal('pässwörd', aad), sealed)
  assert.equal(sealed.includes('pässwörd'), false)
})

test('the first key seals and all keys open, so that a key can be replaced', () => {
  const before = createSecretBox([old]).seal('secret', aad)
  const rotated = createSecretBox([fresh, old])
  assert.equal(rotated.open(before, aad), 'secret')
  assert.equal(rotated.keyId(before), 'k1')
  assert.equal(rotated.keyId(rotated.seal('secret', aad)), 'k2')
  assert.throws(() => createSecretBox([fresh]).open(before, aad), /does not hold/)
})

test('any changed bit, a cut, or another owner makes it refuse to open', () => {
  const box = createSecretBox([old])
  const sealed = box.seal('secret', aad)
  for (let i = 0; i < sealed.length; i++) {
    const changed = Buffer.from(sealed)
    changed[i] = (changed[i] ?? 0) ^ 1
    assert.throws(() => box.open(changed, aad), `byte ${i}`)
  }
  for (let length = 0; length < sealed.length; length++) assert.throws(() => box.open(sealed.subarray(0, length), aad))
  assert.throws(() => box.open(sealed, 'connection.secret/con_2'))
})

test('a sealed text cannot be moved to another key id', () => {
  const box = createSecretBox([old, { id: 'k3', key: old.key }])
  const sealed = box.seal('secret', aad)
  sealed.write('k3', 2)
  assert.equal(box.keyId(sealed), 'k3')
  assert.throws(() => box.open(sealed, aad))
})

test('short keys, no keys and keys of one name are weak', () => {
  const weak = (error: unknown) => error instanceof CodedError && error.code === 'secret_weak'
  assert.throws(() => createSecretBox([]), weak)
  assert.throws(() => createSecretBox([{ id: 'k1', key: Buffer.alloc(31) }]), weak)
  assert.throws(() => createSecretBox([old, { id: 'k1', key: fresh.key }]), weak)
  assert.throws(() => createSecretBox([{ id: '', key: old.key }]), weak)
})
