/**
 * `npm run build -w packages/checkout` writes dist: the scripts for a tag and for import, the elements and the wrappers
 * as modules with their types, as package.json's `exports` name them. What the frames load stays with the hub.
 */
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { bundle } from './build.ts'

export const compiler = path.join(path.dirname(findPackageJSON('typescript', import.meta.url) ?? ''), 'bin', 'tsc')
const home = fileURLToPath(new URL('..', import.meta.url))

/** The modules of the package, by the name they are published under. */
const modules = {
  index: 'src/host/package.ts',
  react: 'src/react.ts',
  angular: 'src/angular.ts',
  types: 'src/types.ts',
}

/** `#protocol.ts` and `./frame.ts` as they are called among published files. */
const published = (declaration: string, file: string): string =>
  declaration.replace(/(from |import\()'([#.][^']+)\.ts'/g, (_, before: string, name: string) => {
    const own = name.startsWith('#') ? path.posix.relative(path.posix.dirname(file), name.slice(1)) : name
    return `${before}'${own.startsWith('.') ? own : `./${own}`}.js'`
  })

async function writeTypes(to: string): Promise<void> {
  await promisify(execFile)(
    process.execPath,
    [
      ...[compiler, '-p', 'tsconfig.json', '--noEmit', 'false'],
      ...['--declaration', '--emitDeclarationOnly', '--rootDir', '.', '--outDir', to],
    ],
    { cwd: home },
  )
  const folder = path.join(to, 'src')
  const files = await readdir(folder, { recursive: true })
  const wanted = files.filter((file) =>
    /^(host\/(base|button|elements|frame)|react|angular|types|protocol)\.d\.ts$/.test(file),
  )
  for (const file of wanted) {
    const text = published(await readFile(path.join(folder, file), 'utf8'), file)
    await mkdir(path.join(to, path.dirname(file)), { recursive: true })
    await writeFile(path.join(to, file), text)
  }
  await Promise.all(['src', 'examples'].map((name) => rm(path.join(to, name), { recursive: true, force: true })))
  await writeFile(path.join(to, 'index.d.ts'), "import './types.js'\nexport * from './host/elements.js'\n")
}

/** Writes the whole package into a folder, which is emptied first. */
export async function writePackage(to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  for (const [name, { bytes }] of await bundle())
    if (name.startsWith('bursar-checkout.')) await writeFile(path.join(to, name), bytes)
  await build({
    ...{ entryPoints: modules, absWorkingDir: home, outdir: to, bundle: true, format: 'esm', target: 'es2022' },
    ...{ splitting: true, external: ['react'], legalComments: 'none', logLevel: 'error' },
  })
  await writeTypes(to)
}

if (import.meta.main) await writePackage(path.join(home, 'dist'))
