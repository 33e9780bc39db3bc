import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { attributes, elements } from './description.ts'
import { BursarBase } from './host/base.ts'
import { tags } from './host/elements.ts'
import { manifest, markdown } from './manifest.ts'

const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), 'utf8')

test('the manifest is current; node packages/checkout/src/generate.ts writes it', async () => {
  assert.equal(await read('../custom-elements.json'), manifest())
})

test('the guide’s tables are current', async () => {
  assert.ok((await read('../../../docs/guides/widget.md')).includes(markdown()))
})

test('what is described is what is defined', () => {
  assert.deepEqual(
    elements.map((it) => [it.tag, it.className]),
    Object.entries(tags).map(([tag, element]) => [tag, element.name]),
  )
  assert.deepEqual(Object.keys(attributes), [...BursarBase.observedAttributes])
})

test('no attribute of any element takes an amount, a currency or a key', () => {
  const named = Object.keys(attributes).filter((name) => /amount|currency|key|total|cost/.test(name))
  assert.deepEqual(named, [])
})
