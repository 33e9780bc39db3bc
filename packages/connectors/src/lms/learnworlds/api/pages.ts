import * as z from 'zod'
import { done, type Outcome } from '../../../failure.ts'
import type { Query, Transport } from './transport.ts'

export type Listed<T> = {
  readonly items: readonly T[]
  readonly page: number
  readonly totalPages: number
  readonly totalItems: number
}

/** One page at a time. A failure ends the walk; the page number in `page` is where to resume. */
export type Walk<T> = AsyncIterable<Outcome<Listed<T>>>

export type PageRequest = {
  /** From 1. */
  readonly page?: number
  /** 1 to 200; larger values are cut. Ignored where the endpoint fixes its page size. */
  readonly itemsPerPage?: number
}

const itemsPerPageMax = 200
// A school with 200 users a page would need 2,000,000 users to reach it; it only stops a server that lies.
const pagesMax = 10_000

const meta = z
  .looseObject({
    page: z.coerce.number().int().min(1),
    totalItems: z.coerce.number().int().min(0),
    totalPages: z.coerce.number().int().min(0),
  })
  .optional()

export type ListCall<T> = {
  readonly path: string
  readonly item: z.ZodType<T>
  readonly query?: Query
  /** True where the endpoint takes items_per_page. */
  readonly sizable?: boolean
}

/** Reads one page. Answers without `meta`, or that are a bare list, count as one complete page. */
export async function readPage<T>(
  transport: Transport,
  list: ListCall<T>,
  request: PageRequest = {},
): Promise<Outcome<Listed<T>>> {
  const answer = z.preprocess(
    (body) => (Array.isArray(body) ? { data: body } : body),
    z.looseObject({ data: z.array(list.item), meta }),
  )
  const size = request.itemsPerPage
  const sent = await transport.call({
    method: 'GET',
    path: list.path,
    query: {
      ...list.query,
      page: request.page ?? 1,
      items_per_page:
        list.sizable === true && size !== undefined ? Math.min(itemsPerPageMax, Math.max(1, Math.floor(size))) : null,
    },
    answer,
  })
  if (!sent.ok) return sent
  const { data, meta: about } = sent.value
  return done({
    items: data,
    page: about?.page ?? 1,
    totalPages: about?.totalPages ?? 1,
    totalItems: about?.totalItems ?? data.length,
  })
}

/**
 * Walks the pages of a list. It stops when the page reached the total, never "when empty": most lists of LearnWorlds
 * repeat their last page for ever.
 */
export async function* walk<T>(transport: Transport, list: ListCall<T>, request: PageRequest = {}): Walk<T> {
  const first = request.page ?? 1
  for (let page = first; page < first + pagesMax; page++) {
    const read = await readPage(transport, list, { ...request, page })
    yield read
    if (!read.ok || page >= read.value.totalPages) return
  }
}

/** All items of a walk, or the first failure. For lists known to be short. */
export async function collect<T>(pages: Walk<T>): Promise<Outcome<readonly T[]>> {
  const items: T[] = []
  for await (const page of pages) {
    if (!page.ok) return page
    items.push(...page.value.items)
  }
  return done(items)
}
