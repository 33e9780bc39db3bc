import { type CsvError, parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'

export type CsvOptions = {
  /** Whether the first row names the columns. */
  readonly header: boolean
  readonly maxRows: number
  readonly maxBytes: number
}

/** `row` counts as a spreadsheet does: the first line is 1, a header included, blank lines included. */
export type CsvRow = {
  readonly row: number
  readonly cells: readonly string[]
  /** By column name; empty without a header. */
  readonly values: Readonly<Record<string, string>>
}

export type CsvRowError = { readonly row: number; readonly message: string }

export type CsvParsed =
  | {
      readonly ok: true
      readonly columns: readonly string[]
      readonly rows: readonly CsvRow[]
      readonly errors: readonly CsvRowError[]
    }
  | { readonly ok: false; readonly code: 'body_too_large' | 'body_unreadable'; readonly message: string }

const delimiters = [',', ';', '\t'] as const

const unreadable = (message: string): CsvParsed => ({ ok: false, code: 'body_unreadable', message })
const tooLarge = (message: string): CsvParsed => ({ ok: false, code: 'body_too_large', message })

/** UTF-8, or UTF-16 with its mark as spreadsheets save "Unicode text". Null when the bytes are neither. */
function decode(input: string | Uint8Array): string | null {
  if (typeof input === 'string') return input
  const encoding = input[0] === 0xff && input[1] === 0xfe ? 'utf-16le' : 'utf-8'
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(input)
  } catch (error) {
    // TypeError is the decoder's word for bytes of another encoding; the caller reports it as unreadable.
    if (error instanceof TypeError) return null
    throw error
  }
}

/** The separator that stands most often in the first line outside quotes; a comma when none does. */
export function detectDelimiter(text: string): ',' | ';' | '\t' {
  const counts = { ',': 0, ';': 0, '\t': 0 }
  let quoted = false
  for (const char of text) {
    if (char === '"') quoted = !quoted
    else if (!quoted && (char === '\n' || char === '\r')) break
    else if (!quoted && (char === ',' || char === ';' || char === '\t')) counts[char] += 1
  }
  return delimiters.reduce((best, d) => (counts[d] > counts[best] ? d : best), ',')
}

type Read = { records: { row: number; cells: string[] }[]; errors: CsvRowError[] }

function read(text: string, rowsMax: number): Read {
  const found: Read = { records: [], errors: [] }
  let row = 0
  parse(text, {
    bom: true,
    delimiter: detectDelimiter(text),
    relax_column_count: true,
    // A quote inside a name is text: strict reading would lose every row after one `"J"im`.
    relax_quotes: true,
    skip_records_with_error: true,
    to: rowsMax,
    on_record: (cells: string[]) => {
      row += 1
      if (cells.some((cell) => cell.trim() !== '')) found.records.push({ row, cells })
      return null
    },
    on_skip: (error: CsvError | undefined) => {
      row += 1
      const open = error?.code === 'CSV_QUOTE_NOT_CLOSED'
      found.errors.push({ row, message: open ? 'a quote is opened and never closed' : 'the row cannot be read' })
      return undefined
    },
  })
  return found
}

/**
 * Reads a table from a file of commas, semicolons or tabs (found by itself), with or without byte order mark, any line
 * ends. Rows that cannot be used are listed in `errors` and do not stop the others.
 */
export function parseCsv(input: string | Uint8Array, options: CsvOptions): CsvParsed {
  const bytes = typeof input === 'string' ? Buffer.byteLength(input) : input.length
  if (bytes > options.maxBytes) return tooLarge(`The file is longer than ${options.maxBytes} bytes.`)
  const text = decode(input)
  if (text === null) return unreadable('The file is not UTF-8. Save it as "CSV UTF-8".')
  // One more than allowed tells "too many" from "just enough".
  const { records, errors } = read(text, options.maxRows + (options.header ? 2 : 1))
  const head = options.header ? records.shift() : undefined
  if (options.header && head === undefined) return unreadable('The file has no header row.')
  if (records.length + errors.length > options.maxRows) return tooLarge(`More than ${options.maxRows} rows.`)

  const columns = head?.cells.map((name) => name.trim()) ?? []
  const twice = columns.find((name, i) => columns.indexOf(name) !== i)
  if (twice !== undefined) return unreadable(`The column ${JSON.stringify(twice)} stands twice in the header.`)
  const rows: CsvRow[] = []
  for (const { row, cells } of records) {
    if (head !== undefined && cells.length !== columns.length)
      errors.push({ row, message: `${cells.length} cells instead of ${columns.length}` })
    else rows.push({ row, cells, values: Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? ''])) })
  }
  return { ok: true, columns, rows, errors: errors.sort((a, b) => a.row - b.row) }
}

export type CsvCell = string | number | bigint | boolean | null | undefined
export type CsvColumn<Row> = { readonly header: string; readonly value: (row: Row) => CsvCell }

const formulaStart = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/
const plainNumber = /^-?\d+(\.\d+)?$/

/** Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers. */
const neutral = (cell: CsvCell): string => {
  const text = cell === null || cell === undefined ? '' : String(cell)
  return formulaStart.test(text) && !plainNumber.test(text) ? `'${text}` : text
}

/** A file that is safe to open in a spreadsheet: comma, CRLF, quotes where needed. `bom` helps old Excel with UTF-8. */
export function writeCsv<Row>(
  rows: readonly Row[],
  columns: readonly CsvColumn<Row>[],
  options: { readonly bom?: boolean } = {},
): string {
  const table = [columns.map((c) => neutral(c.header)), ...rows.map((row) => columns.map((c) => neutral(c.value(row))))]
  return stringify(table, { record_delimiter: 'windows', bom: options.bom ?? false })
}
