import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { safeReturnPath } from './code-flow.ts'

const hub = 'https://hub.example'
const good = ['/', '/account', '/orders/ord_1?a=b#c', '/a%2f/b', '/?next=//evil.example', '/a/../b']
const bad = ['//evil.example', '/\\evil.example', '/\t/evil.example', 'https://evil.example', '', 'account', '/ä']

test('a path of this hub is kept', () => {
  for (const path of good) assert.notEqual(safeReturnPath(path, hub), null, path)
  for (const path of bad) assert.equal(safeReturnPath(path, hub), null, path)
})

test('dots that a browser takes out leave no path to another host', () => {
  for (const path of [
    '/.//evil.example',
    '/a/..//evil.example',
    '/%2e//evil.example',
    '/./\\evil.example',
    '/..//x@evil.example',
  ]) {
    const kept = safeReturnPath(path, hub)
    assert.ok(kept === null || new URL(kept, hub).origin === hub, `${path} leads to ${kept}`)
    assert.ok(kept === null || !kept.startsWith('//'), `${path} became ${kept}`)
  }
})

test('whatever is kept stays here, however often it is resolved', () => {
  const parts = fc.constantFrom('/', '.', '..', '%2e', '\\', '@', 'evil.example', '?', '#', ':', '%2f', 'a')
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (pieces) => {
      const kept = safeReturnPath(`/${pieces.join('')}`, hub)
      if (kept === null) return
      const once = new URL(kept, hub)
      assert.equal(once.origin, hub)
      assert.equal(new URL(once.pathname + once.search, hub).origin, hub)
    }),
    { numRuns: 3_000 },
  )
})
