import type { HttpClient } from '@bursar/kit/http.ts'
import type { Registry } from '#action/define.ts'

/** All that the command line touches, handed in so that a test can hold it. */
export type CliDeps = {
  readonly registry: Registry
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Each text ends with its own line break. */
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  readonly stdin: () => Promise<string>
  readonly cwd: string
  /** A client that may call this origin, whatever it is: whoever types the command chose it. */
  readonly http: (origin: string) => HttpClient
  /** Width of the terminal; 100 when nobody looks. */
  readonly columns: number
  readonly commands?: Readonly<Record<string, Command>>
  /** How the answers of some actions read best to a person, by action name; the others are shown field by field. */
  readonly renderers?: Readonly<Record<string, (output: unknown) => string>>
}

/** A command beside the actions, such as `start`. Its name may be two words: `demo purchase`. */
export type Command = {
  readonly summary: string
  /** Returns the exit code. */
  run(argv: readonly string[], deps: CliDeps): Promise<number>
}

export const exitCodes = {
  ok: 0,
  /** The hub answered with an error code. */
  refused: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The hub did not answer. */
  unreachable: 3,
} as const

/** A command line that makes no sense; the message says what would. */
export class UsageError extends Error {
  readonly hint: string | null
  constructor(message: string, hint: string | null = null) {
    super(message)
    this.name = 'UsageError'
    this.hint = hint
  }
}
