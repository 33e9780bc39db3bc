import { blocksOf } from './blocks.ts'
import type { Mail } from './kinds.ts'
import { type Block, htmlOf, textOf } from './layout.ts'
import { oneLine } from './words.ts'

export type Rendered = {
  readonly subject: string
  readonly text: string
  readonly html: string
  /** The code in it, so that a person trying the demo can copy it and a test can read it. */
  readonly code: string | null
  /** The links a reader is asked to open, in their order. */
  readonly links: readonly string[]
}

// RFC 5322 allows lines of 998; what mail programs show ends long before.
const subjectMax = 150
const schoolMax = 100

/** The message as it will be read. Everything from other people is cut and escaped here; nothing is fetched. */
export function render(mail: Mail, school: string): Rendered {
  const page = blocksOf(mail, oneLine(school, schoolMax))
  return {
    subject: oneLine(page.subject, subjectMax),
    text: textOf(page),
    html: htmlOf(page),
    code: page.blocks.find((b) => b.kind === 'code')?.text ?? null,
    links: page.blocks.filter((b): b is Extract<Block, { kind: 'button' }> => b.kind === 'button').map((b) => b.url),
  }
}
