import { readFileSync } from 'node:fs'
import { table, written } from './words.ts'

const file = 'packages/hub/src/events/timeline.ts'

/** The braces of a type from `{` on, without what follows. */
function bracesFrom(text: string, at: number): string {
  let depth = 0
  for (let i = at; i < text.length; i++) {
    if (text.charAt(i) === '{') depth += 1
    if (text.charAt(i) === '}') {
      depth -= 1
      if (depth === 0) return text.slice(at + 1, i)
    }
  }
  throw new Error(`${file}: a brace is not closed`)
}

const typeBody = (text: string, head: string): string => {
  const at = text.indexOf(head)
  if (at < 0) throw new Error(`${file} has no ${head}; scripts/reference/timeline.ts must follow it`)
  return bracesFrom(text, text.indexOf('{', at))
}

/** `name: type` pairs of the first level. */
function fields(body: string): { name: string; type: string }[] {
  const flat = body.replace(/\/\*\*[\s\S]*?\*\//g, '')
  const found: { name: string; type: string }[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i <= flat.length; i++) {
    const char = flat.charAt(i)
    if (char === '{') depth += 1
    if (char === '}') depth -= 1
    if (i < flat.length && (depth > 0 || !/[;\n]/.test(char))) continue
    const part = flat.slice(start, i).trim()
    const colon = part.indexOf(':', part.startsWith("'") ? part.indexOf("'", 1) : 0)
    if (colon > 0) found.push({ name: part.slice(0, colon).replaceAll("'", ''), type: part.slice(colon + 1).trim() })
    start = i + 1
  }
  return found
}

const shown = (type: string, shared: string): string => {
  const body = type === 'EntitlementFacts' ? shared : type.startsWith('{') ? bracesFrom(type, 0) : type
  return fields(body)
    .map((f) => `\`${f.name}\``)
    .join(', ')
}

/** Every kind of entry of a timeline with the facts it carries, read from the one type that lists them. */
export function timelineMarkdown(): string {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
  const shared = typeBody(text, 'type EntitlementFacts =')
  const kinds = fields(typeBody(text, 'export type TimelineData ='))
  const rows = kinds.map((k) => [`\`${k.name}\``, shown(k.type, shared)])
  return `# What a timeline tells

${written(file)} A field with a question mark may be absent. Every entry also has \`id\`, \`at\`, \`trace_id\`, and what it is about: \`order_id\`, \`person_id\`, \`enrollment_id\`. Amounts are minor units.

${table(['kind', 'facts'], rows)}
`
}
