import { formatMoney, moneyFromJson } from '@bursar/kit/money.ts'
import { label } from './words.ts'

const cellMax = 44
const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/

// What a stranger typed into a name must not steer the terminal of whoever reads it.
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')

/** One value on one line, for people; null when it needs lines of its own. */
export function inline(value: unknown): string | null {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'string') {
    if (timePattern.test(value)) return `${value.slice(0, 10)} ${value.slice(11, 19)} UTC`
    return printable(value)
  }
  if (Array.isArray(value)) {
    const parts = value.map(inline)
    if (parts.length === 0) return 'none'
    return value.every((item) => typeof item !== 'object') ? parts.join(', ') : null
  }
  if (typeof value === 'object') return moneyText(value)
  return String(value)
}

function moneyText(value: object): string | null {
  const keys = Object.keys(value).sort().join(' ')
  return keys === 'amount currency exponent' ? formatMoney(moneyFromJson(value)) : null
}

/** An answer for people: fields aligned, lists as tables. Ends with a line break. */
export function show(value: unknown, columns: number): string {
  return lines(value, '', columns).join('\n').concat('\n')
}

function lines(value: unknown, indent: string, columns: number): string[] {
  const short = inline(value)
  if (short !== null) return [indent + short]
  if (Array.isArray(value)) return table(value, indent, columns)
  const entries = Object.entries(value as object)
  const width = Math.max(
    0,
    ...entries.filter(([, child]) => inline(child) !== null).map(([name]) => label(name).length),
  )
  return entries.flatMap(([name, child]) => {
    const text = inline(child)
    if (text === null) return [`${indent}${label(name)}`, ...lines(child, `${indent}  `, columns)]
    const [first = '', ...more] = text.split('\n')
    const start = `${indent}${label(name).padEnd(width)}  `
    return [start + first, ...more.map((line) => ' '.repeat(start.length) + line)]
  })
}

function table(rows: readonly unknown[], indent: string, columns: number): string[] {
  const objects = rows.map((row) =>
    typeof row === 'object' && row !== null && !Array.isArray(row) ? row : { value: row },
  )
  const names = [...new Set(objects.flatMap((row) => Object.keys(row)))]
  const texts = objects.map((row) => names.map((name) => cell((row as Record<string, unknown>)[name])))
  const widths = names.map((name, i) => Math.max(label(name).length, ...texts.map((row) => row[i]?.length ?? 0)))
  const total = indent.length + widths.reduce((sum, width) => sum + width + 2, 0)
  // Too wide to read as a table: each row as a block of its own.
  if (total > columns + 2)
    return objects.flatMap((row, i) => [...(i === 0 ? [] : ['']), ...lines(row, indent, columns)])
  const line = (cells: readonly string[]) =>
    indent +
    cells
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  return [line(names.map(label)), ...texts.map(line)]
}

function cell(value: unknown): string {
  const text = (inline(value) ?? printable(JSON.stringify(value))).replaceAll(/\s+/g, ' ')
  return text.length > cellMax ? `${text.slice(0, cellMax - 1)}…` : text
}
