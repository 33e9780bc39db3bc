import { done, failed, type Outcome } from '../../../failure.ts'
import type { CatalogItem, LmsConnector, Page } from '../../port.ts'
import { learnWorldsFailure } from '../api/errors.ts'
import { collect, type Listed } from '../api/pages.ts'
import { toCatalogItem, toCertificate, toProgress } from '../map.ts'
import type { Context } from './context.ts'

const cursorPattern = /^(course|bundle|subscription):(\d{1,6})$/
const order = ['course', 'bundle', 'subscription'] as const
type Part = (typeof order)[number]

const badCursor = failed(learnWorldsFailure('invalid', 'cursor', 'The cursor is not one of this list.'))

function readCursor(cursor: string): { part: Part; page: number } | null {
  const match = cursorPattern.exec(cursor)
  const part = order.find((p) => p === match?.[1])
  return match === null || part === undefined ? null : { part, page: Number(match[2]) }
}

function nextCursor(part: Part, listed: Listed<unknown>): string | null {
  if (listed.page < listed.totalPages) return `${part}:${listed.page + 1}`
  const following = order[order.indexOf(part) + 1]
  return following === undefined ? null : `${following}:1`
}

/** Courses, then bundles, then plans, one page of the school per page of ours. */
export function catalogPort(context: Context): NonNullable<LmsConnector['catalog']> {
  const { catalog } = context.client
  const read = async (part: Part, page: number): Promise<Outcome<Listed<CatalogItem>>> => {
    const listed =
      part === 'course'
        ? await catalog.pageCourses({}, { page })
        : part === 'bundle'
          ? await catalog.pageBundles({ page })
          : await catalog.pagePlans({ page })
    if (!listed.ok) return listed
    return done({ ...listed.value, items: listed.value.items.map((item) => toCatalogItem(item, part)) })
  }
  return {
    list: async (cursor = 'course:1'): Promise<Outcome<Page<CatalogItem>>> => {
      const at = readCursor(cursor)
      if (at === null) return badCursor
      const listed = await read(at.part, at.page)
      if (!listed.ok) return listed
      for (const item of listed.value.items)
        if (at.part !== 'course')
          context.contents.set(
            `${at.part}/${item.externalId}`,
            item.contains.map((course) => course.externalId),
          )
      return done({ items: listed.value.items, next: nextCursor(at.part, listed.value) })
    },
  }
}

const progressPageSize = 200

export const progressPort = (context: Context): NonNullable<LmsConnector['progress']> => ({
  read: async (account) => {
    const rows = await collect(context.client.learning.walkProgress(account, { itemsPerPage: progressPageSize }))
    return rows.ok ? done(rows.value.map(toProgress)) : rows
  },
})

export const certificatesPort = (context: Context): NonNullable<LmsConnector['certificates']> => ({
  list: async (scope, cursor) => {
    const page = cursor === undefined ? 1 : Number(cursor)
    if (!Number.isInteger(page) || page < 1) return badCursor
    if (scope.account === undefined && scope.course === undefined)
      return failed(learnWorldsFailure('invalid', 'scope', 'LearnWorlds lists certificates by account or by course.'))
    const listed = await context.client.certificates.page(
      {
        ...(scope.account === undefined ? {} : { userId: scope.account }),
        ...(scope.course === undefined ? {} : { courseId: scope.course.externalId }),
      },
      { page },
    )
    if (!listed.ok) return listed
    const { items, totalPages, totalItems } = listed.value
    return done({
      items: items.map(toCertificate),
      next: page < totalPages ? String(page + 1) : null,
      total: totalItems,
    })
  },
})
