import { lineAt } from './scan.ts'
import { isCode, isGenerated, isTest, type Source, type Violation } from './source.ts'

export const fileLinesMax = 400
export const functionLinesMax = 70

const closing: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' }

/** Where the bracket that opens at `at` closes. */
function closeOf(code: string, at: number): number {
  const open = code.charAt(at)
  const close = closing[open]
  let depth = 0
  for (let i = at; i < code.length; i++) {
    const char = code.charAt(i)
    if (char === open) depth += 1
    else if (char === close) {
      depth -= 1
      if (depth === 0) return i
    }
  }
  return code.length
}

const skipSpace = (code: string, at: number): number => {
  let i = at
  while (i < code.length && /\s/.test(code.charAt(i))) i++
  return i
}

/** After `)`: where the body opens, past a return type if there is one; null when no body follows. */
function bodyAfter(code: string, at: number): number | null {
  let i = skipSpace(code, at)
  if (code.charAt(i) === '{') return i
  if (code.charAt(i) !== ':') return null
  let typeMayStart = true
  for (i += 1; i < code.length; ) {
    i = skipSpace(code, i)
    const char = code.charAt(i)
    if (char === '{' && !typeMayStart) return i
    if (char in closing) {
      i = closeOf(code, i) + 1
      typeMayStart = false
    } else if (code.startsWith('=>', i)) {
      i += 2
      typeMayStart = true
    } else if (/[|&<,]/.test(char)) {
      i += 1
      typeMayStart = true
    } else if (/[\w$.>'"`?]/.test(char)) {
      i += 1
      typeMayStart = false
    } else return null
  }
  return null
}

const notFunctions = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'return', 'await', 'typeof', 'of', 'in'])

type Span = { readonly name: string; readonly from: number; readonly to: number }

/** `function name(…) {…}` and methods; calls have no body behind their parenthesis. */
function named(code: string): Span[] {
  const spans: Span[] = []
  for (const match of code.matchAll(/([\w$#]+)\s*(?:<[^()]*?>)?\s*\(/g)) {
    const name = match[1] ?? ''
    if (notFunctions.has(name)) continue
    const open = match.index + match[0].length - 1
    const body = bodyAfter(code, closeOf(code, open) + 1)
    if (body !== null) spans.push({ name, from: match.index, to: closeOf(code, body) })
  }
  return spans
}

/** Arrow functions, whether their body is a block or one expression in brackets. */
function arrows(code: string): Span[] {
  const spans: Span[] = []
  for (const match of code.matchAll(/=>/g)) {
    const start = skipSpace(code, match.index + 2)
    if (!(code.charAt(start) in closing)) continue
    const line = code.lastIndexOf('\n', match.index) + 1
    const name = /(?:const|let)\s+([\w$]+)|([\w$]+)\s*:/.exec(code.slice(line, match.index))
    spans.push({ name: name?.[1] ?? name?.[2] ?? 'arrow function', from: match.index, to: closeOf(code, start) })
  }
  return spans
}

export function sizeRule(sources: readonly Source[]): Violation[] {
  return sources
    .filter((s) => isCode(s.path) && !isGenerated(s.path))
    .flatMap((s) => [...fileSize(s), ...functionSizes(s)])
}

function fileSize(source: Source): Violation[] {
  const lines = source.text.split('\n').length - 1
  if (lines <= fileLinesMax) return []
  const message = `${lines} lines; split it by topic or verb so that no file has more than ${fileLinesMax}`
  return [{ rule: 'size', path: source.path, line: fileLinesMax, message }]
}

function functionSizes(source: Source): Violation[] {
  if (isTest(source.path)) return []
  return [...named(source.code), ...arrows(source.code)].flatMap((span) => {
    const line = lineAt(source.code, span.from)
    const lines = lineAt(source.code, span.to) - line + 1
    if (lines <= functionLinesMax) return []
    const message = `${span.name} has ${lines} lines; give its parts names of their own so that none has more than ${functionLinesMax}`
    return [{ rule: 'size', path: source.path, line, message }]
  })
}
