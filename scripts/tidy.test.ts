/**
 * Holds the house: each rule of CONTRIBUTING.md is run over every file of the project, and tried on a small wrong
 * example, so that a rule which never fires is noticed.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { codesRule, manifestRule, settingsRule } from './tidy/codes.ts'
import { circleRule, directionRule, purityRule } from './tidy/direction.ts'
import { homes, homesRule } from './tidy/homes.ts'
import { rules, tell } from './tidy/rules.ts'
import { blank } from './tidy/scan.ts'
import { sizeRule } from './tidy/size.ts'
import { readProject, type Source, sourceOf, type Violation } from './tidy/source.ts'
import { leftoversRule, namesRule, swallowRule, wordsRule } from './tidy/words.ts'

const project = readProject(fileURLToPath(new URL('..', import.meta.url)))

test('the project is found', () => {
  assert.ok(project.filter((s) => s.path.startsWith('packages/')).length > 100)
  assert.ok(project.some((s) => s.imports.some((i) => i.to === 'packages/kit/src/clock.ts')))
})

for (const rule of rules)
  test(rule.holds, () => {
    const violations = rule.run(project)
    assert.equal(violations.length, 0, `\n${tell(violations)}`)
  })

const hub = (file: string, text: string): Source => sourceOf(`packages/hub/src/${file}`, text)
const places = (violations: readonly Violation[]): string[] => violations.map((v) => `${v.path}:${v.line}`)

test('a slice that imports from above is told, also for a type alone', () => {
  const low = hub('db/pool.ts', "\nimport type { Order } from '#orders/store.ts'\n")
  const high = hub('orders/store.ts', "import { pool } from '#db/pool.ts'\n")
  assert.deepEqual(places(directionRule([low, high])), ['packages/hub/src/db/pool.ts:2'])
})

test('a connector that knows the hub, and a kit that knows anyone, are told', () => {
  const connector = sourceOf('packages/connectors/src/lms/x/index.ts', "import { a } from '@bursar/hub/main/seed.ts'")
  const kit = sourceOf('packages/kit/src/money.ts', "export { b } from '@bursar/connectors/io.ts'")
  assert.equal(directionRule([connector, kit]).length, 2)
})

test('nothing imports the storm, the benchmarks or the scenarios', () => {
  const main = hub('main/start.ts', "import { storm } from '#chaos/storm.ts'")
  assert.match(directionRule([main])[0]?.message ?? '', /nothing in the hub uses chaos/)
})

test('the program does not use a set-up for tests, while a test may', () => {
  const text = "import { testDatabase } from '#db/testing.ts'"
  assert.equal(directionRule([hub('main/start.ts', text)]).length, 1)
  assert.equal(directionRule([hub('main/start.test.ts', text), hub('events/testing.ts', text)]).length, 0)
  assert.equal(directionRule([hub('db/pool.test.ts', "import { createWorld } from '#main/world.ts'")]).length, 0)
})

test('a slice that nobody listed is told', () => {
  assert.equal(directionRule([hub('magic/wand.ts', '')]).length, 1)
})

test('a circle through a type is a circle', () => {
  const a = hub('orders/a.ts', "import type { B } from './b.ts'")
  const b = hub('orders/b.ts', "import { a } from './a.ts'")
  assert.equal(circleRule([a, b]).length, 1)
})

test('a rule that reads the database, the clock or an impure neighbour is told', () => {
  const store = hub('orders/rules.ts', "import type { Order } from './store.ts'")
  const time = hub('orders/rules.ts', "import { day, systemClock } from '@bursar/kit/clock.ts'")
  const client = sourceOf('packages/connectors/src/lms/x/client.ts', "import { connect } from 'node:net'")
  const map = sourceOf('packages/connectors/src/lms/x/map.ts', "import { shape } from './client.ts'")
  for (const sources of [[store], [time], [map, client]]) assert.equal(purityRule(sources).length, 1)
  const fine =
    "import { day } from '@bursar/kit/clock.ts'\nimport type { Failure } from '@bursar/connectors/failure.ts'"
  assert.equal(purityRule([hub('orders/rules.ts', fine)]).length, 0)
})

test('each thing with one home is told elsewhere', () => {
  const wrong: Readonly<Record<string, string>> = {
    'the environment': 'const a = process.env.PORT',
    'the time': 'const a = new Date()',
    timers: 'setTimeout(f, 1)',
    'the stopwatch': 'performance.now()',
    'calls to the outside': "import { request } from 'node:https'",
    'message authentication codes and comparing secrets': "import { createHmac } from 'node:crypto'",
    encryption: "import { createCipheriv } from 'node:crypto'",
  }
  for (const home of homes) {
    const text = wrong[home.what]
    assert.ok(text !== undefined, `no example for ${home.what}`)
    assert.ok(homesRule([hub('orders/x.ts', text)]).length > 0, home.what)
  }
  const spoken = hub('orders/x.ts', "// process.env is read elsewhere\nconst a = 'setTimeout('\nconst b = new Date(ms)")
  assert.deepEqual(homesRule([spoken]), [])
  assert.deepEqual(homesRule([hub('orders/x.ts', "import { createServer } from 'node:http'")]), [])
})

test('a long file and a long function are told, whatever the form of the function', () => {
  const body = '\n  step()'.repeat(71)
  const forms = [
    `function f(a: { b: string }): Promise<{ c: 1 }> {${body}\n}`,
    `const f = (a: string) => {${body}\n}`,
    `const f = () => ({\n${'  a: 1,\n'.repeat(71)}})`,
    `const x = { async f<T>(a: T) {${body}\n} }`,
  ]
  for (const text of forms) assert.equal(sizeRule([hub('orders/x.ts', text)]).length, 1, text.slice(0, 40))
  assert.equal(sizeRule([hub('orders/x.test.ts', forms[0] ?? '')]).length, 0)
  assert.equal(sizeRule([hub('orders/x.test.ts', '\n'.repeat(401))]).length, 1)
  assert.equal(sizeRule([hub('orders/x.ts', `if (a) {${body}\n}\nf(a, [${'\n  1,'.repeat(80)}\n])`)]).length, 0)
})

test('forbidden words are told in code and allowed in prose', () => {
  const wrong = ['let a: any', 'const a = b as any', 'enum A { B }', 'export default a', 'namespace A {']
  for (const text of wrong) assert.equal(wordsRule([hub('orders/x.ts', text)]).length, 1, text)
  assert.equal(wordsRule([hub('orders/x.test.ts', "test.only('a', f)\ntest('b', { skip: true }, f)")]).length, 2)
  assert.deepEqual(wordsRule([hub('orders/x.ts', "// any enum A {\nconst any = 'as any'\nf(any)")]), [])
})

test('an error that vanishes without a reason is told', () => {
  const wrong = [
    'try { f() } catch {}',
    'try { f() } catch (error) {\n}',
    'f().catch(() => undefined)',
    'f().catch(() => null)',
  ]
  for (const text of wrong) assert.equal(swallowRule([hub('orders/x.ts', text)]).length > 0, true, text)
  const reason =
    'try { f() } catch {\n  // Gone already, which is what was wanted.\n}\nf().catch(() => null) // None is an answer.'
  assert.deepEqual(swallowRule([hub('orders/x.ts', reason)]), [])
})

test('open ends, paths of a machine and drawers are told', () => {
  // Put together here, or this file would be told as well.
  const open = `// ${'TO'}${'DO'}: later`
  const place = `const a = '/${'home'}/somebody/bursar'`
  assert.equal(leftoversRule([hub('orders/x.ts', open), hub('orders/y.ts', place)]).length, 2)
  assert.equal(namesRule([hub('orders/utils.ts', ''), hub('helpers/x.ts', '')]).length, 2)
})

test('an error code that nobody answers or explains is told', () => {
  const answer = hub('orders/x.ts', "fail('price_unknown')")
  const page = sourceOf('docs/reference/errors.md', '| `price_unknown` |')
  assert.equal(codesRule([answer, page], ['price_unknown']).length, 0)
  assert.equal(codesRule([answer, page], ['link_expired']).length, 2)
})

test('a setting that nothing reads is told', () => {
  const reader = hub('main/serve.ts', 'listen(config.port)')
  assert.equal(settingsRule([reader], ['port', 'host']).length, 1)
})

test('a package that borrows or hoards is told', () => {
  const manifest = sourceOf('packages/hub/package.json', '{"dependencies":{"pg":"8","idle":"1"}}')
  const borrowing = hub('orders/x.ts', "import pg from 'pg'\nimport { z } from 'zod'")
  assert.deepEqual(places(manifestRule([manifest, borrowing])), [
    'packages/hub/src/orders/x.ts:2',
    'packages/hub/package.json:1',
  ])
})

test('comments, strings and regular expressions are no code, what stands in a template is', () => {
  const shown = (text: string) => blank(text).replace(/ +/g, ' ')
  assert.equal(shown('a /* b */ c // d\ne'), 'a c \ne')
  assert.equal(shown("a('b \\' c', \"d\")"), 'a(\' \', " ")')
  assert.equal(shown(String.raw`a = /['"\/]b/ ; c / d / e`), 'a = / / ; c / d / e')
  assert.equal(shown(['`a $', "{b('c', `d`)} e`"].join('')), ['` $', "{b(' ', ` `)} `"].join(''))
  for (const source of project) assert.equal(source.code.length, source.text.length, source.path)
})
