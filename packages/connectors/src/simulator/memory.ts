import { deserialize, serialize } from 'node:v8'

/**
 * A deep copy in which `swap` may put something else in an object's place (`undefined` leaves it). What was one object
 * in two places is one object in the copy, so that a restored simulator still changes both at once.
 */
export function copyGraph(root: unknown, swap: (value: object) => unknown): unknown {
  const done = new Map<object, unknown>()
  const keep = <T extends object>(value: object, made: T): T => {
    done.set(value, made)
    return made
  }
  const copy = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
    if (done.has(value)) return done.get(value)
    const other = swap(value)
    if (other !== undefined) return other
    if (value instanceof Map) {
      const made = keep(value, new Map<unknown, unknown>())
      for (const [key, item] of value) made.set(key, copy(item))
      return made
    }
    if (value instanceof Set) {
      const made = keep(value, new Set<unknown>())
      for (const item of value) made.add(copy(item))
      return made
    }
    if (Array.isArray(value)) {
      const made = keep(value, [] as unknown[])
      for (const item of value) made.push(copy(item))
      return made
    }
    const made = keep(value, {} as Record<string, unknown>)
    for (const [key, item] of Object.entries(value)) made[key] = copy(item)
    return made
  }
  return copy(root)
}

/** What a simulator knows, as bytes. `format` names the layout: whoever changes what is kept raises its number. */
export const pack = (format: string, content: unknown): Buffer => serialize({ format, content })

/** The content of `pack`. Throws a sentence for bytes of another layout and for bytes that are none of ours. */
export function unpack(format: string, data: Buffer): unknown {
  const read = deserialize(data) as { readonly format?: unknown; readonly content?: unknown } | null
  if (typeof read !== 'object' || read === null || read.format !== format)
    throw new Error(`this is no memory of a ${format}`)
  return read.content
}
