import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { type Bundles, bundle } from './build.ts'

/**
 * Gzipped. Everything of our own that a browser loads to buy in English until it asks for Stripe.js: the script on the
 * page, the frame's style sheet, its script, and all that imports at once. 300 bytes below the goal of 15,000.
 */
const beforeStripeMax = 14_700
/** The same and all that the rest of a normal purchase loads: signing in with a code, the seats. */
const purchaseMax = 18_600
/** What loads Stripe.js: mostly Stripe's own loader. */
const providerMax = 1_800
/** Each part that only some buyers load. */
const rareMax = 1_900

let bundles: Bundles
before(async () => {
  bundles = await bundle()
})

const only = (pattern: RegExp): string => {
  const found = [...bundles.keys()].filter((name) => pattern.test(name))
  assert.equal(found.length, 1, `${pattern} is one file`)
  return found[0] ?? ''
}

/** A file and everything it imports before it runs. */
function whole(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found
  found.add(name)
  for (const next of bundles.get(name)?.now ?? []) whole(next, found)
  return found
}

const sum = (names: Iterable<string>): number =>
  [...names].reduce((total, name) => total + (bundles.get(name)?.gzipBytes ?? Number.NaN), 0)

const host = /^bursar-checkout\.js$/
const style = /^frame-\w+\.css$/
const provider = /^provider-\w+\.js$/
const after = /^after-\w+\.js$/

for (const entry of ['checkout', 'account'])
  test(`what the ${entry} loads before Stripe.js stays within ${beforeStripeMax} bytes, gzipped`, (t) => {
    const files = new Set([only(host), only(style), ...whole(only(new RegExp(`^${entry}-\\w+\\.js$`)))])
    for (const name of files) t.diagnostic(`${name}: ${sum([name])}`)
    t.diagnostic(`together: ${sum(files)} of ${beforeStripeMax} bytes`)
    assert.ok(sum(files) <= beforeStripeMax, `${sum(files)} bytes`)
  })

test(`a whole purchase, from the script on the page to the course, stays within ${purchaseMax} bytes, gzipped`, (t) => {
  const files = new Set([only(host), only(style), ...whole(only(/^checkout-\w+\.js$/)), ...whole(only(after))])
  t.diagnostic(`together: ${sum(files)} of ${purchaseMax} bytes, and ${sum([only(provider)])} that load Stripe.js`)
  assert.ok(sum(files) <= purchaseMax, `${sum(files)} bytes`)
  assert.ok(sum([only(provider)]) <= providerMax, `${sum([only(provider)])} bytes`)
})

test('what only some need is a part of its own, and small', (t) => {
  const frequent = new Set([...whole(only(/^checkout-\w+\.js$/)), ...whole(only(after))])
  const later = new Set([...frequent].flatMap((name) => bundles.get(name)?.later ?? []))
  const rare = [...later].filter((name) => !provider.test(name) && !after.test(name))
  assert.deepEqual(rare.map((name) => name.split('-')[0]).sort(), ['differs', 'gift', 'texts', 'ways'])
  for (const name of rare) {
    const more = [...whole(name)].filter((it) => !frequent.has(it))
    t.diagnostic(`${name}: ${sum(more)} bytes`)
    assert.ok(sum(more) <= rareMax, `${name}: ${sum(more)} bytes`)
  }
})

test('the parts of the frame share one file, so that the page can ask for all it needs at once', () => {
  assert.equal(whole(only(/^checkout-\w+\.js$/)).size, 2)
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
