import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isInsidePath, pathInSchool, schoolOrigins } from './launch-path.ts'

test('a path inside a site stays inside, whatever it is made of', () => {
  const piece = fc.constantFrom(
    '/',
    '\\',
    '//',
    '..',
    '@',
    ':',
    '?',
    '#',
    '%2f',
    'a',
    '\n',
    '\t',
    ' ',
    'evil.example',
    'https:',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), (parts) => {
      const path = parts.join('')
      if (!isInsidePath(path)) return
      assert.equal(new URL(path, 'https://hub.example').origin, 'https://hub.example')
      assert.match(path, /^\/[^/\\]?/)
      assert.doesNotMatch(path, /["'<>\s\\]/)
    }),
    { numRuns: 2_000 },
  )
})

test('plain paths pass, and what leads elsewhere does not', () => {
  for (const path of ['/', '/course/one', '/course/one?unit=2&x=%20', '/a/../b', '/path#part'])
    assert.ok(isInsidePath(path), path)
  for (const path of [
    '',
    'course',
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/a b',
    '/"x',
    '/a\nb',
    `/${'a'.repeat(600)}`,
  ])
    assert.ok(!isInsidePath(path), path)
})

test('an address belongs to a school only with its own origin', () => {
  const config = { baseUrl: 'https://school.example/admin/api', launchHosts: ['learn.example'] }
  assert.deepEqual(schoolOrigins(config), ['https://school.example', 'https://learn.example'])
  assert.equal(pathInSchool(config, 'https://school.example/course/one?unit=2'), '/course/one?unit=2')
  assert.equal(pathInSchool(config, 'https://learn.example/x'), '/x')
  for (const address of [
    'http://school.example/',
    'https://school.example:444/',
    'https://school.example.evil.example/',
    'https://school.example@evil.example/',
    'https://user@school.example/',
    'https://school.example//evil.example',
    '//school.example/',
    '/course/one',
    'javascript:alert(1)',
  ])
    assert.equal(pathInSchool(config, address), null, address)
})
