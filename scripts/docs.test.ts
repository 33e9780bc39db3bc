/** Documents cannot lie about what can be looked up: links, files, commands, settings, actions. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { allActions } from '../packages/hub/src/main/actions.ts'
import { settings } from '../packages/hub/src/main/config.ts'
import { errorTable } from '../packages/kit/src/errors.ts'
import { missingSamples } from './reference/capabilities.ts'
import { readProject } from './tidy/source.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const pages = readProject(root).filter((s) => s.path.endsWith('.md'))
const prose = pages.filter((p) => !p.path.startsWith('docs/reference/') && p.path !== 'CHANGELOG.md')
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

const findings = (pattern: RegExp, among = prose): { page: string; name: string }[] =>
  among.flatMap((page) => [...page.text.matchAll(pattern)].map((m) => ({ page: page.path, name: m[1] ?? '' })))

const told = (wrong: readonly { page: string; name: string }[]): string =>
  wrong.map((w) => `\n${w.page}: ${w.name}`).join('')

test('every link between documents leads somewhere', () => {
  const wrong = findings(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g, pages)
    .filter(({ name }) => !/^[a-z]+:/.test(name))
    .filter(({ page, name }) => !existsSync(path.join(root, path.dirname(page), name)))
  assert.equal(wrong.length, 0, told(wrong))
})

test('every file or folder that a document names exists', () => {
  const wrong = findings(/`((?:packages|scripts|docs|\.ci)\/[\w./-]+)`/g).filter(
    ({ name }) => !existsSync(path.join(root, name)),
  )
  assert.equal(wrong.length, 0, told(wrong))
})

test('every npm command that a document names exists', () => {
  const wrong = findings(/\bnpm run ([a-z]+)\b/g).filter(({ name }) => manifest.scripts[name] === undefined)
  assert.equal(wrong.length, 0, told(wrong))
})

test('every setting that a document names exists', () => {
  const known = new Set(Object.values(settings).flatMap((s) => [s.name, ...s.aliases]))
  // The command line's own: which hub, and with which key.
  for (const name of ['BURSAR_URL', 'BURSAR_KEY']) known.add(name)
  const wrong = findings(/\b((?:BURSAR|STRIPE|LEARNWORLDS)_[A-Z_]*[A-Z])\b(?!_?\*)/g).filter(
    ({ name }) => !known.has(name),
  )
  assert.equal(wrong.length, 0, told(wrong))
})

test('every action that a document or an error names exists', () => {
  const known = new Set(allActions.map((a) => a.name))
  const slices = new Set([...known].map((name) => name.split('.')[0]))
  const fixes = Object.entries(errorTable).flatMap(([code, row]) =>
    [...row.fix.matchAll(/\b([a-z]+\.[a-z_]+)\b/g)].map((m) => ({ page: `the fix of ${code}`, name: m[1] ?? '' })),
  )
  const named = findings(/`(?:npx bursar )?([a-z]+\.[a-z_]+)(?: --[^`]*)?`/g).filter(({ name }) =>
    slices.has(name.split('.')[0]),
  )
  const typed = findings(/npx bursar ([a-z]+\.[a-z_]+)/g)
  const wrong = [...fixes, ...named, ...typed].filter(
    ({ name }) => !known.has(name) && !/\.(ts|md|js|json)$/.test(name),
  )
  assert.equal(wrong.length, 0, told(wrong))
})

test('the matrix of capabilities asks every platform', () => {
  assert.deepEqual(missingSamples(), [])
})
