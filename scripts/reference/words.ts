import { day, hour, minute, second } from '../../packages/kit/src/clock.ts'

/** Text for one cell of a table. */
export const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(' | ')} |`).join('\n')

const units = [
  [day, 'd'],
  [hour, 'h'],
  [minute, 'min'],
  [second, 's'],
] as const

/** A length of time in its largest whole unit: `6 h`, `500 ms`. */
export function lengthText(ms: number): string {
  const unit = units.find(([size]) => ms >= size && ms % size === 0)
  return unit === undefined ? `${ms} ms` : `${ms / unit[0]} ${unit[1]}`
}

export const written = (from: string): string => `Written by \`npm run generate\` from \`${from}\`.`
