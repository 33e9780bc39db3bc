import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { blank, lineAt } from './scan.ts'

/** One import or re-export. `to` is the file it means, or null when it is a package of others or a part of Node. */
export type Import = {
  readonly specifier: string
  readonly typeOnly: boolean
  /** The names between the braces, as far as there are any. */
  readonly names: readonly string[]
  readonly to: string | null
  readonly line: number
}

export type Source = {
  /** From the root of the project, with slashes. */
  readonly path: string
  readonly text: string
  /** The same length, with comments and strings blanked out. */
  readonly code: string
  readonly imports: readonly Import[]
}

export type Violation = {
  readonly rule: string
  readonly path: string
  readonly line: number
  /** What is wrong and what to do instead. */
  readonly message: string
}

export const isTest = (file: string): boolean => file.endsWith('.test.ts')
/** Set-ups for tests: `testing.ts`, `door-testing.ts`, and the small world of the scenarios with what asks it. */
export const isTestSetup = (file: string): boolean =>
  /(^|[/-])testing\.ts$/.test(file) || /^packages\/hub\/src\/main\/(world|asking)\.ts$/.test(file)
export const isGenerated = (file: string): boolean => file.includes('.generated.')
export const isCode = (file: string): boolean => /\.(ts|js)$/.test(file)

const statement =
  /(?:^|\n)[ \t]*(?:import|export)\s+(type\s+)?(?:([\w$*][^'"\n;]*?|[\w$,\s]*\{[^}]*\}|\*\s+as\s+\w+)\s+from\s+)?(['"])([^'"\n]+)\3/g
const dynamic = /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g

const namesIn = (clause: string): { name: string; typeOnly: boolean }[] => {
  const inner = /\{([^}]*)\}/.exec(clause)?.[1]
  return (inner ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => ({
      typeOnly: part.startsWith('type '),
      name: part.replace(/^type\s+/, '').split(/\s+as\s+/)[0] ?? '',
    }))
}

/** Which file a specifier means; null for other people's packages. */
export function resolve(from: string, specifier: string): string | null {
  if (specifier.startsWith('.')) return path.posix.normalize(path.posix.join(path.posix.dirname(from), specifier))
  const own = /^packages\/[^/]+\//.exec(from)?.[0]
  if (specifier.startsWith('#') && own !== undefined) return `${own}src/${specifier.slice(1)}`
  const ours = /^@bursar\/([^/]+)\/(.+)$/.exec(specifier)
  return ours === null ? null : `packages/${ours[1]}/src/${ours[2]}`
}

function importsOf(file: string, text: string, code: string): Import[] {
  const found: Import[] = []
  for (const match of text.matchAll(statement)) {
    const [whole, type, clause = '', , specifier = ''] = match
    const start = match.index + (whole.startsWith('\n') ? 1 : 0)
    // In a comment or a string the word itself is blanked out.
    if (!/^[ \t]*(?:import|export)/.test(code.slice(start, start + whole.length))) continue
    const names = namesIn(clause)
    const outside = clause.replace(/\{[^}]*\}/, '').replace(/[,\s]/g, '')
    const allTypes = names.length > 0 && outside === '' && names.every((n) => n.typeOnly)
    found.push({
      specifier,
      typeOnly: type !== undefined || allTypes,
      names: names.map((n) => n.name),
      to: resolve(file, specifier),
      line: lineAt(text, start),
    })
  }
  for (const match of text.matchAll(dynamic)) {
    if (!code.slice(match.index).startsWith('import')) continue
    const specifier = match[2] ?? ''
    const line = lineAt(text, match.index)
    found.push({ specifier, typeOnly: false, names: [], to: resolve(file, specifier), line })
  }
  return found
}

/** A file as the rules see it; tests make their own. */
export function sourceOf(file: string, text: string): Source {
  const code = isCode(file) ? blank(text) : text
  return { path: file, text, code, imports: isCode(file) ? importsOf(file, text, code) : [] }
}

// Also files that are not committed yet, so that a rule speaks before the commit does.
const listed = (root: string): string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '')

const isText = (file: string): boolean =>
  /(\.(ts|js|sql|md|json|css|html|yml|yaml|sh)|(^|\/)(run|\.editorconfig|\.gitattributes|\.gitignore))$/.test(file) &&
  file !== 'package-lock.json'

/** Every text file of the project, as it lies in the folder now. */
export function readProject(root: string): Source[] {
  return listed(root)
    .filter(isText)
    .flatMap((file) => {
      const text = readIfThere(path.join(root, file))
      return text === null ? [] : [sourceOf(file, text)]
    })
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // Listed by git, but removed from the folder and not committed yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Every place in the code where a pattern stands. */
export const matches = (source: Source, pattern: RegExp): { readonly line: number; readonly text: string }[] =>
  [...source.code.matchAll(pattern)].map((m) => ({ line: lineAt(source.code, m.index), text: m[0].trim() }))
