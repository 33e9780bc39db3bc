import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Ctx, inTx } from '#action/context.ts'
import { action } from '#action/define.ts'
import { id, page } from '#action/fields.ts'
import { mustFind } from './actions-connections.ts'
import { coursePage, knownCourses } from './list.ts'
import { openLms } from './open.ts'
import { saveCourse } from './products.ts'

const kind = z.enum(['course', 'bundle', 'program', 'class', 'offer', 'voucher', 'subscription'])
const pagesMax = 200

export const courseShape = z.object({
  id: z.string(),
  connectionId: z.string(),
  school: z.string(),
  kind: z.string(),
  externalId: z.string(),
  title: z.string(),
})

export const coursesList = action({
  name: 'courses.list',
  summary: 'List what the schools can open, as the hub knows it, by school or a part of the title.',
  input: z.object({
    connectionId: id('con').optional(),
    search: z.string().trim().min(1).max(100).optional(),
    after: id('crs').optional(),
    limit: page.limit,
  }),
  output: z.object({ courses: z.array(courseShape), next: z.string().nullable() }),
  access: 'catalog:read',
  effect: 'read',
  run: async (ctx, { limit, ...filter }) => {
    const rows = await coursePage(ctx.tx, { ...filter, limit: limit + 1 })
    const courses = rows.slice(0, limit)
    return { courses, next: rows.length > limit ? (courses.at(-1)?.id ?? null) : null }
  },
})

export const coursesSave = action({
  name: 'courses.save',
  summary: 'Make one course of a school known by its platform id, or give a known one its new title.',
  input: z.object({
    connectionId: id('con'),
    kind: kind.default('course'),
    externalId: z.string().trim().min(1).max(255),
    title: z.string().trim().min(1).max(300),
  }),
  output: z.object({ courseId: z.string() }),
  access: 'catalog:write',
  effect: 'write',
  run: async (ctx, input) => {
    const connection = await mustFind(ctx, input.connectionId)
    if (connection.category !== 'lms') throw new CodedError('conflict', 'A payment account has no courses.')
    const { id: courseId } = await saveCourse(ctx.tx, ctx, input)
    return { courseId }
  },
})

export const coursesImport = action({
  name: 'courses.import',
  summary: 'Read the whole catalogue of a school and make its courses known. Removes nothing. Safe to repeat.',
  input: z.object({ connectionId: id('con') }),
  output: z.object({ read: z.number().int(), added: z.number().int() }),
  access: 'catalog:write',
  effect: 'outside',
  run: async (ctx, { connectionId }) => {
    const connector = await openLms(ctx, connectionId, { lane: 'delta' })
    if (connector.catalog === undefined)
      throw new CodedError('conflict', 'This platform does not list its courses; use courses.save.')
    if (ctx.dryRun) return { read: 0, added: 0 }
    let cursor: string | undefined
    let [read, added] = [0, 0]
    for (let n = 0; n < pagesMax; n++) {
      const items = await connector.catalog.list(cursor)
      if (!items.ok) {
        const { class: kind, code, message, retryAfterMs } = items.failure
        throw new CodedError('upstream_failed', message, { failure: code, class: kind, retryAfterMs, read })
      }
      added += await saveAll(ctx, connectionId, items.value.items)
      read += items.value.items.length
      if (items.value.next === null) break
      cursor = items.value.next
    }
    return { read, added }
  },
})

type Item = { readonly kind: string; readonly externalId: string; readonly title: string }

const saveAll = (ctx: Ctx, connectionId: string, items: readonly Item[]): Promise<number> =>
  inTx(ctx, async (tx) => {
    const before = await knownCourses(tx, connectionId, items)
    for (const { kind, externalId, title } of items)
      await saveCourse(tx, ctx, { connectionId, kind, externalId, title })
    return items.length - before
  })
