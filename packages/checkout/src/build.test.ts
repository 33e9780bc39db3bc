import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { type Bundles, bundle } from './build.ts'

// What a visitor loads to buy, in English: the script on the page and the frame's own. Stripe.js and what loads it
// (provider) come after, the style sheet beside.
const gzipBytesMax = 15 * 1024

let bundles: Bundles
before(async () => {
  bundles = await bundle()
})

const sizeOf = (pattern: RegExp): number => {
  const found = [...bundles].filter(([name]) => pattern.test(name))
  assert.equal(found.length, 1, `${pattern} is one file`)
  return found[0]?.[1].gzipBytes ?? Number.NaN
}

test('host and frame together stay within 15 KiB, gzipped', (t) => {
  for (const [name, { gzipBytes }] of bundles) t.diagnostic(`${name}: ${gzipBytes} bytes gzipped`)
  const host = sizeOf(/^bursar-checkout\.js$/)
  for (const frame of [/^checkout-\w+\.js$/, /^account-\w+\.js$/]) {
    const both = host + sizeOf(frame)
    t.diagnostic(`host and ${frame.source}: ${both} of ${gzipBytesMax} bytes`)
    assert.ok(both <= gzipBytesMax, `${both} bytes`)
  }
})

test('no file tells where it was built or brings a source map', () => {
  for (const [name, { bytes }] of bundles) {
    assert.doesNotMatch(name, /\.map$/)
    assert.doesNotMatch(bytes.toString(), /sourceMappingURL|packages\/checkout|node_modules/)
  }
})

test('every file of the frame carries its hash, so it can be kept for ever', () => {
  const fixed = [...bundles.keys()].filter((name) => !/-[A-Z0-9]{8}\.(js|css)$/.test(name))
  assert.deepEqual(fixed.sort(), ['bursar-checkout.js', 'bursar-checkout.mjs'])
})
