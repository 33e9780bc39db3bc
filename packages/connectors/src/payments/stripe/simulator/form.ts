import { Refusal } from './world.ts'

export type Form = { [key: string]: FormValue }
export type FormValue = string | FormValue[] | Form

/** Deeper than any real parameter; a stranger's nesting ends here. */
const maxDepth = 12

const parts = (key: string): string[] => {
  const first = key.indexOf('[')
  if (first < 0) return [key]
  return [key.slice(0, first), ...[...key.slice(first).matchAll(/\[([^\]]*)\]/g)].map((match) => match[1] ?? '')]
}

const child = (parent: Form, key: string): Form => {
  const found = Object.hasOwn(parent, key) ? parent[key] : undefined
  if (typeof found === 'object' && !Array.isArray(found)) return found
  const made: Form = Object.create(null)
  parent[key] = made
  return made
}

/** Objects whose keys are 0…n become lists; metadata keeps its keys, whatever they look like. */
function lists(value: FormValue, key: string): FormValue {
  if (typeof value === 'string' || Array.isArray(value)) return value
  const entries = Object.entries(value).map(([name, inner]) => [name, lists(inner, name)] as const)
  const isList = key !== 'metadata' && entries.length > 0 && entries.every(([name], i) => name === String(i))
  return isList ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)
}

/** Stripe's nested form encoding: `a[b][0]=c`, `a[]=c`. Every leaf is text; the schemas turn text into numbers. */
export function decodeForm(pairs: Iterable<readonly [string, string]>): Form {
  const root: Form = Object.create(null)
  for (const [key, value] of pairs) {
    const path = parts(key)
    if (path.length > maxDepth) throw new Refusal(`Invalid parameter: ${key}`, { param: key })
    let at = root
    for (const [i, name] of path.entries()) {
      const label = name === '' ? String(Object.keys(at).length) : name
      if (i === path.length - 1) at[label] = value
      else at = child(at, label)
    }
  }
  return lists(root, '') as Form
}
