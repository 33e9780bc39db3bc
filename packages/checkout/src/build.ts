import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'

/** Everything a browser may load, by file name. `bundle.json` says what is built; the hub reads the same file. */
export type Bundles = ReadonlyMap<
  string,
  {
    readonly bytes: Buffer
    readonly gzipBytes: number
    /** Files that it imports before it runs, and those that it may ask for later. */
    readonly now: readonly string[]
    readonly later: readonly string[]
  }
>

type Plan = { readonly shared: BuildOptions; readonly builds: readonly BuildOptions[]; readonly mangle: string }

/** The smallest of what zlib can do: it differs by some dozens of bytes and is done once. */
const squeeze = (bytes: Buffer): Buffer =>
  [6, 7, 8, 9]
    .map((memLevel) => gzipSync(bytes, { level: 9, memLevel }))
    .reduce((best, next) => (next.length < best.length ? next : best))

const nameOf = (path: string): string => path.split('/').at(-1) ?? ''

const home = fileURLToPath(new URL('..', import.meta.url))

export async function bundle(): Promise<Bundles> {
  const plan = JSON.parse(await readFile(new URL('../bundle.json', import.meta.url), 'utf8')) as Plan
  const results = await Promise.all(
    plan.builds.map((options) =>
      build({
        ...plan.shared,
        ...options,
        mangleProps: new RegExp(plan.mangle),
        absWorkingDir: home,
        outdir: 'dist',
        write: false,
      }),
    ),
  )
  const imports = Object.fromEntries(
    results.flatMap(({ metafile }) =>
      Object.entries(metafile?.outputs ?? {}).map(([file, it]) => [nameOf(file), it.imports] as const),
    ),
  )
  const of = (name: string, kind: string): readonly string[] =>
    (imports[name] ?? []).filter((it) => it.kind === kind).map((it) => nameOf(it.path))
  const files = results.flatMap((result) => result.outputFiles ?? [])
  return new Map(
    files.map((file) => {
      const name = nameOf(file.path)
      const bytes = Buffer.from(file.contents)
      const gzipBytes = squeeze(bytes).length
      return [name, { bytes, gzipBytes, now: of(name, 'import-statement'), later: of(name, 'dynamic-import') }] as const
    }),
  )
}
