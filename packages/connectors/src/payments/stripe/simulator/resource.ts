import type { Endpoint } from './api.ts'
import type { Form } from './form.ts'
import { newestFirst, page } from './lists.ts'
import { find, idOf, type Wire } from './world.ts'

/** The schemas have checked the form against the SDK's own type of these parameters, so the cast says what is known. */
export const as = <T>(form: Form): T => form as unknown as T

type Maps = { readonly [key: string]: ReadonlyMap<string, { readonly id: string; readonly created: number }> }

/** Retrieve by id and a filtered list, the two calls every resource has. */
export function resource(
  path: string,
  name: string,
  map: Maps[string],
  list: Endpoint['operation'],
  filters: readonly string[] = [],
): Endpoint[] {
  const matches = (item: object, form: Form) =>
    filters.every((filter) => {
      if (form[filter] === undefined) return true
      const value = (item as Wire)[filter]
      const plain = typeof value === 'object' && value !== null ? idOf(value as { id: string }) : value
      return String(plain) === String(form[filter])
    })
  return [
    {
      method: 'GET',
      pattern: `/v1/${path}`,
      operation: list,
      run: ({ form }) =>
        page(
          newestFirst(map).filter((item) => matches(item, form)),
          form,
          `/v1/${path}`,
        ),
    },
    { method: 'GET', pattern: `/v1/${path}/:id`, operation: 'retrieve', run: ({ id }) => find(map, id, name) },
  ]
}
