import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'

/** Everything a browser may load, by file name. `bundle.json` says what is built; the hub reads the same file. */
export type Bundles = ReadonlyMap<string, { readonly bytes: Buffer; readonly gzipBytes: number }>

type Plan = { readonly shared: BuildOptions; readonly builds: readonly BuildOptions[]; readonly mangle: string }

/** The smallest of what zlib can do: it differs by some dozens of bytes and is done once. */
const squeeze = (bytes: Buffer): Buffer =>
  [6, 7, 8, 9]
    .map((memLevel) => gzipSync(bytes, { level: 9, memLevel }))
    .reduce((best, next) => (next.length < best.length ? next : best))

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
  const files = results.flatMap((result) => result.outputFiles ?? [])
  return new Map(
    files.map((file) => {
      const bytes = Buffer.from(file.contents)
      return [file.path.split('/').at(-1) ?? '', { bytes, gzipBytes: squeeze(bytes).length }] as const
    }),
  )
}
