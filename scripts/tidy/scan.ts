/**
 * Blanks out what is not code: the words of comments and strings become spaces, so that a search for a name finds the
 * name itself. Lengths and line breaks stay, so every position is still true. Code inside `${…}` stays code.
 */
export function blank(text: string): string {
  const scanner: Scanner = { text, out: text.split(''), at: 0 }
  scanCode(scanner, false)
  return scanner.out.join('')
}

type Scanner = { readonly text: string; readonly out: string[]; at: number }

// After these words a slash begins a regular expression, after other words it divides.
const beforeRegex = /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|yield|await)$/

function startsRegex(s: Scanner): boolean {
  const before = s.text.slice(Math.max(0, s.at - 60), s.at).trimEnd()
  const last = before.at(-1) ?? ''
  if (last === '') return true
  if (/[\w$]/.test(last)) return beforeRegex.test(before)
  return !/[)\]}'"`]/.test(last)
}

/** Until the end, or, inside a template, until the brace that closes its `${`. */
function scanCode(s: Scanner, inTemplate: boolean): void {
  let depth = 0
  while (s.at < s.text.length) {
    const char = s.text.charAt(s.at)
    const next = s.text.charAt(s.at + 1)
    if (char === '/' && next === '/') wipe(s, endOf(s, '\n'))
    else if (char === '/' && next === '*') wipe(s, endOf(s, '*/', 2) + 2)
    else if (char === "'" || char === '"') wipeQuoted(s, char)
    else if (char === '`') scanTemplate(s)
    else if (char === '/' && startsRegex(s)) wipeRegex(s)
    else {
      if (char === '{') depth += 1
      if (char === '}') {
        if (inTemplate && depth === 0) return
        depth -= 1
      }
      s.at += 1
    }
  }
}

const endOf = (s: Scanner, end: string, from = 0): number => {
  const found = s.text.indexOf(end, s.at + from)
  return found < 0 ? s.text.length : found
}

function wipe(s: Scanner, end: number): void {
  for (; s.at < end && s.at < s.text.length; s.at++) if (s.text.charAt(s.at) !== '\n') s.out[s.at] = ' '
}

/** The quotes stay, their content goes. */
function wipeQuoted(s: Scanner, quote: string): void {
  let end = s.at + 1
  while (end < s.text.length && s.text.charAt(end) !== quote && s.text.charAt(end) !== '\n')
    end += s.text.charAt(end) === '\\' ? 2 : 1
  s.at += 1
  wipe(s, end)
  s.at = end + 1
}

function wipeRegex(s: Scanner): void {
  let inClass = false
  let end = s.at + 1
  for (; end < s.text.length; end++) {
    const char = s.text.charAt(end)
    if (char === '\\') end += 1
    else if (char === '[') inClass = true
    else if (char === ']') inClass = false
    else if ((char === '/' && !inClass) || char === '\n') break
  }
  s.at += 1
  wipe(s, end)
  s.at = end + 1
}

function scanTemplate(s: Scanner): void {
  s.at += 1
  while (s.at < s.text.length) {
    const char = s.text.charAt(s.at)
    if (char === '`') {
      s.at += 1
      return
    }
    if (char === '\\') wipe(s, s.at + 2)
    else if (char === '$' && s.text.charAt(s.at + 1) === '{') {
      s.at += 2
      scanCode(s, true)
      s.at += 1
    } else wipe(s, s.at + 1)
  }
}

export const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length
