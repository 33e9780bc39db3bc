import manifest from '../../../package.json' with { type: 'json' }
import { type CliDeps, cliHttp, runCli } from '../cli.ts'

const defaultColumns = 100

/** What a process gives its command line. */
export type CliProcess = {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Uint8Array | string>
  readonly stdout: { write(text: string): unknown; readonly columns?: number }
  readonly stderr: { write(text: string): unknown }
  cwd(): string
}

/** The command line of a real process. Returns the exit code; the caller sets it and lets the output drain. */
export const runProcess = (
  it: CliProcess,
  wiring: Pick<CliDeps, 'registry' | 'commands' | 'renderers'>,
): Promise<number> =>
  runCli(it.argv.slice(2), {
    ...wiring,
    version: manifest.version,
    env: it.env,
    stdout: (text) => void it.stdout.write(text),
    stderr: (text) => void it.stderr.write(text),
    stdin: async () => {
      const chunks: Buffer[] = []
      for await (const chunk of it.stdin) chunks.push(Buffer.from(chunk))
      return Buffer.concat(chunks).toString('utf8')
    },
    cwd: it.cwd(),
    http: cliHttp,
    columns: it.stdout.columns ?? defaultColumns,
  })
