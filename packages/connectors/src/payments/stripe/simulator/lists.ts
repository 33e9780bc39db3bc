import type { Form } from './form.ts'
import { Refusal, type Wire } from './world.ts'

const defaultLimit = 10
const maxLimit = 100

type Listable = { readonly id: string; readonly created?: number }

const isForm = (value: unknown): value is Form => typeof value === 'object' && value !== null && !Array.isArray(value)

/** `created=…` or `created[gte]=…`. */
function inRange(created: number, filter: unknown): boolean {
  if (typeof filter === 'number' || typeof filter === 'string') return created === Number(filter)
  if (!isForm(filter)) return true
  const bound = (name: string) => (filter[name] === undefined ? null : Number(filter[name]))
  const [gt, gte, lt, lte] = [bound('gt'), bound('gte'), bound('lt'), bound('lte')]
  return (
    (gt === null || created > gt) &&
    (gte === null || created >= gte) &&
    (lt === null || created < lt) &&
    (lte === null || created <= lte)
  )
}

const at = (items: readonly Listable[], id: string, param: string): number => {
  const index = items.findIndex((item) => item.id === id)
  if (index < 0) throw new Refusal(`No such object: '${id}'`, { code: 'resource_missing', param }, 404)
  return index
}

/**
 * One page of a list. `items` come newest first, except where Stripe keeps the order of writing (lines): then the
 * caller passes them so. `starting_after` goes down the list, `ending_before` up.
 */
export function page(items: readonly Listable[], query: Form, url: string): Wire {
  const limit = query.limit === undefined ? defaultLimit : Number(query.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit)
    throw new Refusal(
      `This value must be less than or equal to ${maxLimit} (it currently is '${String(query.limit)}').`,
      {
        param: 'limit',
        code: 'parameter_invalid_integer',
      },
    )
  const kept = items.filter((item) => item.created === undefined || inRange(item.created, query.created))
  const { starting_after: after, ending_before: before } = query
  if (typeof after === 'string' && typeof before === 'string')
    throw new Refusal('You can only specify one of these parameters: starting_after, ending_before.')
  if (typeof before === 'string') {
    const end = at(kept, before, 'ending_before')
    const start = Math.max(0, end - limit)
    return { object: 'list', data: kept.slice(start, end), has_more: start > 0, url }
  }
  const start = typeof after === 'string' ? at(kept, after, 'starting_after') + 1 : 0
  return { object: 'list', data: kept.slice(start, start + limit), has_more: start + limit < kept.length, url }
}

export const newestFirst = <T>(map: ReadonlyMap<string, T>): T[] => [...map.values()].reverse()
