import assert from 'node:assert/strict'
import { test } from 'node:test'
import { courseSchema } from './api/catalog.ts'
import { certificateSchema, courseProgressSchema } from './api/learning.ts'
import { userSchema } from './api/users.ts'
import { isPrivileged, toCatalogItem, toCertificate, toProductType, toProgress } from './map.ts'

const user = (more: object) => userSchema.parse({ id: 'u1', email: 'a@example.com', ...more })

test('admins, instructors, reporters and every other role are privileged; learners are not', () => {
  assert.equal(isPrivileged(user({})), false)
  assert.equal(isPrivileged(user({ role: { level: 'user', name: 'User' } })), false)
  for (const more of [{ is_admin: true }, { is_instructor: true }, { is_reporter: true }])
    assert.equal(isPrivileged(user(more)), true)
  for (const level of ['seat_manager', 'license_reporter', 'something_new'])
    assert.equal(isPrivileged(user({ role: { level, name: '' } })), true)
})

test('a progress row without a percentage stays unknown', () => {
  const fact = toProgress(courseProgressSchema.parse({ course_id: 'c', status: 'a new status', progress_rate: null }))
  assert.deepEqual([fact.status, fact.grain, fact.percent, fact.timeSpentS], ['unknown', 'unknown', null, null])
})

test('a percentage outside 0 to 100 is not believed', () => {
  assert.equal(toProgress(courseProgressSchema.parse({ course_id: 'c', progress_rate: 140 })).percent, null)
})

test('a program is granted as a bundle; classes, offers and vouchers are unknown here', () => {
  assert.deepEqual(
    (['course', 'bundle', 'program', 'subscription', 'class', 'offer', 'voucher'] as const).map(toProductType),
    ['course', 'bundle', 'bundle', 'subscription', null, null, null],
  )
})

test('a deleted certificate is revoked, and `false` is no address', () => {
  const certificate = { id: 'x', issued: 1637232384.7, user: { id: 'u' }, course_id: 'c' }
  const deleted = toCertificate(certificateSchema.parse({ ...certificate, status: 'deleted', short_url: false }))
  assert.deepEqual([deleted.state, deleted.url, deleted.issuedAt], ['revoked', null, 1637232384700])
})

test('only what is offered is on sale', () => {
  const item = (access: string | null) => toCatalogItem(courseSchema.parse({ id: 'c', title: 'C', access }), 'course')
  assert.deepEqual(
    ['paid', 'free', 'draft', 'private', 'coming_soon', null].map((access) => item(access).onSale),
    [true, true, false, false, false, false],
  )
})
