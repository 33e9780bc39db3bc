import { lineAt } from './scan.ts'
import { isCode, isGenerated, isTest, matches, type Source, type Violation } from './source.ts'

type Word = {
  readonly pattern: RegExp
  readonly instead: string
  readonly where?: (file: string) => boolean
}

const inTypes = /(?::\s*|<\s*|\bas\s+|,\s*|\|\s*|=\s*|\bextends\s+)any\b(?!\s*[:(.])/g

const words: readonly Word[] = [
  { pattern: inTypes, instead: 'use unknown and look before you believe', where: isTypeScript },
  {
    pattern: /\b(?:const\s+)?enum\s+\w+\s*\{/g,
    instead: 'use a union of literals or a const table',
    where: isTypeScript,
  },
  { pattern: /\bnamespace\s+\w+\s*\{/g, instead: 'use a file', where: isTypeScript },
  { pattern: /\bexport\s+default\b/g, instead: 'export it by its name, so that search finds every use' },
  {
    // A condition may stand: `skip: isRoot ? false : 'needs root'`, or t.skip(reason) under an if.
    pattern: /\b(?:test|it|describe|suite)\.(?:only|skip|todo)\b|\b(?:only|skip|todo):\s*(?:true\b|['"`])/g,
    instead: 'a test runs, or it is removed (git keeps it), or a condition says which machine cannot run it',
    where: isTest,
  },
]

function isTypeScript(file: string): boolean {
  return file.endsWith('.ts')
}

export function wordsRule(sources: readonly Source[]): Violation[] {
  return sources
    .filter((s) => isCode(s.path) && !isGenerated(s.path))
    .flatMap((source) =>
      words
        .filter((word) => word.where?.(source.path) ?? true)
        .flatMap((word) =>
          matches(source, word.pattern)
            .filter(({ line }) => !hasReason(source, line))
            .map(({ line, text }) => ({
              rule: 'words',
              path: source.path,
              line,
              message: `\`${text}\`: ${word.instead}`,
            })),
        ),
    )
}

// At a library's edge `any` may stand, with biome's own reason above it.
const hasReason = (source: Source, line: number): boolean =>
  /biome-ignore lint\/suspicious\/noExplicitAny: \S/.test(source.text.split('\n')[line - 2] ?? '')

const openEnds = /\b(?:TODO|FIXME|XXX|HACK)\b/g
const machinePaths = /(?<![\w.:/-])\/(?:work|home|root|Users|tmp\/[\w-]+)\/[\w.-]+/g

/** Open ends and paths of somebody's machine, in code, comments and documents alike. */
export function leftoversRule(sources: readonly Source[]): Violation[] {
  return sources
    .filter((s) => !isGenerated(s.path) && !s.path.startsWith('scripts/tidy'))
    .flatMap((source) => {
      const tell = (pattern: RegExp, message: string) =>
        [...source.text.matchAll(pattern)].map((m) => ({
          rule: 'leftovers',
          path: source.path,
          line: lineAt(source.text, m.index),
          message: `\`${m[0]}\`: ${message}`,
        }))
      return [
        ...tell(openEnds, 'finish it, or open an issue; the code says what is'),
        ...tell(machinePaths, 'a path of one machine; build it from the project folder, os.tmpdir() or a setting'),
      ]
    })
}

const swallows =
  /\.catch\(\s*(?:async\s*)?\(\s*\w*\s*\)\s*=>\s*(?:undefined|null|void 0|false|true|''|\[\]|\(\{\s*\}\)|\{\s*\})\s*,?\s*\)/g
const emptyCatch = /\bcatch\s*(?:\(\s*[\w:\s]*\))?\s*\{\s*\}/g
const forgetful = /\bcatch\s*\{\s*return\s*(?:undefined|null|false|true|\[\]|\{\}|''|["`]\s*["`])?\s*;?\s*\}/g

/** An error that nobody hears needs its reason beside it: in the block, on the line, or on the line above. */
export function swallowRule(sources: readonly Source[]): Violation[] {
  return sources
    .filter((s) => isCode(s.path) && !isGenerated(s.path))
    .flatMap((source) =>
      [swallows, emptyCatch, forgetful]
        .flatMap((pattern) => [...source.code.matchAll(pattern)])
        .filter((m) => !explained(source, m.index, m.index + m[0].length))
        .map((m) => ({
          rule: 'swallow',
          path: source.path,
          line: lineAt(source.code, m.index),
          message: 'an error vanishes here; let it pass, turn it into a value, or say in a comment why nobody needs it',
        })),
    )
}

function explained(source: Source, from: number, to: number): boolean {
  const lines = source.text.split('\n')
  const first = lineAt(source.text, from) - 1
  const last = lineAt(source.text, to) - 1
  // The reason stands above the line, on it, or within the block.
  return lines.slice(Math.max(0, first - 1), last + 3).some((l) => /(^|\s)(\/\/|\/\*|\*)/.test(l))
}

const drawers = /(^|\/)(utils?|helpers?|managers?|common|shared|misc|lib|stuff)(\.|\/)/

/** File names say the topic; a drawer says nothing and collects everything. */
export function namesRule(sources: readonly Source[]): Violation[] {
  return sources
    .filter((s) => isCode(s.path) && drawers.test(s.path))
    .map((s) => ({
      rule: 'names',
      path: s.path,
      line: 1,
      message: 'name the file after what it does; put each part beside its topic',
    }))
}
