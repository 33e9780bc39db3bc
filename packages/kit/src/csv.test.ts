import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { detectDelimiter, parseCsv, writeCsv } from './csv.ts'

const limits = { header: true, maxRows: 100, maxBytes: 10_000 }

const rowsOf = (input: string | Buffer, options = limits) => {
  const parsed = parseCsv(input, options)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed
}

test('a file with byte order mark, CRLF and quoted line breaks reads as a spreadsheet shows it', () => {
  const parsed = rowsOf(Buffer.from('\ufeffemail, name\r\na@x.org,"Smith, Ann"\r\nb@x.org,"two\r\nlines"\r\n'))
  assert.deepEqual(parsed.columns, ['email', 'name'])
  assert.deepEqual(parsed.rows, [
    { row: 2, cells: ['a@x.org', 'Smith, Ann'], values: { email: 'a@x.org', name: 'Smith, Ann' } },
    { row: 3, cells: ['b@x.org', 'two\r\nlines'], values: { email: 'b@x.org', name: 'two\r\nlines' } },
  ])
})

test('commas, semicolons and tabs are told apart by the first line, outside quotes', () => {
  assert.equal(detectDelimiter('a,b;c,d'), ',')
  assert.equal(detectDelimiter('"a,b,c";d\nx,y,z,,,'), ';')
  assert.equal(detectDelimiter('a\tb'), '\t')
  assert.equal(detectDelimiter('alone'), ',')
  assert.deepEqual(rowsOf('a;b\n1;2,5\n').rows[0]?.values, { a: '1', b: '2,5' })
})

test('UTF-16 as spreadsheets save it is read, other encodings are named', () => {
  assert.deepEqual(rowsOf(Buffer.from('\ufeffa\tb\r\né\t2', 'utf16le')).rows[0]?.values, { a: 'é', b: '2' })
  const parsed = parseCsv(Buffer.from('name\nJos\xe9', 'latin1'), limits)
  assert.equal(!parsed.ok && parsed.code, 'body_unreadable')
})

test('a row with too few or too many cells is an error of that row only; blank lines count as rows', () => {
  const parsed = rowsOf('a,b\n1,2\n\n3\n4,5,6\n7,8\n')
  assert.deepEqual(
    parsed.rows.map((r) => r.row),
    [2, 6],
  )
  assert.deepEqual(parsed.errors, [
    { row: 4, message: '1 cells instead of 2' },
    { row: 5, message: '3 cells instead of 2' },
  ])
})

test('a quote inside a cell is text; a quote that stays open is reported, not swallowed', () => {
  const parsed = rowsOf('a,b\n1,x "y" z\n"1"2,x\n3,ok\n')
  assert.deepEqual(
    parsed.rows.map((r) => r.cells),
    [
      ['1', 'x "y" z'],
      ['"1"2', 'x'],
      ['3', 'ok'],
    ],
  )
  const open = rowsOf('a,b\n1,2\n3,"never closed\n4,5\n')
  assert.deepEqual(
    open.rows.map((r) => r.row),
    [2],
  )
  assert.deepEqual(open.errors, [{ row: 3, message: 'a quote is opened and never closed' }])
})

test('without a header every row is cells', () => {
  const parsed = rowsOf('a,b\n1,2', { ...limits, header: false })
  assert.deepEqual(parsed.columns, [])
  assert.deepEqual(
    parsed.rows.map((r) => [r.row, r.cells]),
    [
      [1, ['a', 'b']],
      [2, ['1', '2']],
    ],
  )
})

test('limits refuse the whole file instead of cutting it', () => {
  const code = (input: string, options = limits) => {
    const parsed = parseCsv(input, options)
    return parsed.ok ? parsed.rows.length : parsed.code
  }
  assert.equal(code('a\n1\n2', { ...limits, maxRows: 2 }), 2)
  assert.equal(code('a\n1\n2\n3', { ...limits, maxRows: 2 }), 'body_too_large')
  assert.equal(code('1\n2', { header: false, maxRows: 2, maxBytes: 100 }), 2)
  assert.equal(code('1\n2\n3', { header: false, maxRows: 2, maxBytes: 100 }), 'body_too_large')
  assert.equal(code('é'.repeat(6), { ...limits, maxBytes: 11 }), 'body_too_large')
})

test('an empty file, and a column that stands twice, are named', () => {
  const message = (input: string) => {
    const parsed = parseCsv(input, limits)
    return parsed.ok ? '' : parsed.message
  }
  assert.equal(message(''), 'The file has no header row.')
  assert.equal(message('a,b,a\n1,2,3'), 'The column "a" stands twice in the header.')
})

const columns = [
  { header: 'name', value: (r: { name: string; amount: string | number }) => r.name },
  { header: 'amount', value: (r: { name: string; amount: string | number }) => r.amount },
]

test('a written file cannot make a spreadsheet run a formula; numbers stay numbers', () => {
  for (const start of ['=', '+', '-', '@', '\t', '\r']) {
    const parsed = rowsOf(writeCsv([{ name: `${start}cmd|' /C calc'!A0`, amount: '-19.99' }], columns))
    assert.equal(parsed.rows[0]?.values.name, `'${start}cmd|' /C calc'!A0`)
    assert.equal(parsed.rows[0]?.values.amount, '-19.99')
  }
  assert.equal(writeCsv([{ name: 'a', amount: -5 }], columns), 'name,amount\r\na,-5\r\n')
  assert.match(writeCsv([], [{ header: '=1+1', value: () => '' }]), /^'=1\+1/)
})

test('what is written reads back, whatever the text', () => {
  const cell = fc
    .string({ unit: 'grapheme' })
    .filter((s) => /^[^\s=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/.test(s) && !s.startsWith('\ufeff'))
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: cell, amount: cell }, { noNullPrototype: true }), { minLength: 1, maxLength: 5 }),
      (rows) => {
        const parsed = rowsOf(writeCsv(rows, columns, { bom: true }), { ...limits, maxBytes: 100_000 })
        assert.deepEqual(
          parsed.rows.map((r) => ({ ...r.values })),
          rows,
        )
      },
    ),
  )
})
