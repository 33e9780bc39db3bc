import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const packages = fileURLToPath(new URL('../../../', import.meta.url))
/** The scenarios of identity, checkout and claims that this hub promises by name. */
const promised = [...Array.from({ length: 15 }, (_, i) => `I${i + 1}`), 'F3', 'F18', 'F20']

// The name of a test, up to its colon: `row 5, I8: …`, `F20a, row 1: …`.
const headings = /\btest\(\s*(['"`])((?:(?!\1)[^:\n])*):/g

test('every scenario of identity and claims stands by its name in a test', async () => {
  const named = new Set<string>()
  for await (const file of glob('*/src/**/*.test.ts', { cwd: packages })) {
    const text = await readFile(packages + file, 'utf8')
    for (const [, , heading = ''] of text.matchAll(headings))
      for (const [name] of heading.matchAll(/\b[FI]\d+/g)) named.add(name)
  }
  assert.deepEqual(
    promised.filter((name) => !named.has(name)),
    [],
  )
})
