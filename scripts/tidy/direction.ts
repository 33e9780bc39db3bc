import { isTest, isTestSetup, type Source, type Violation } from './source.ts'

/** The slices of packages/hub/src from top to bottom. A file imports from its own slice and from those below it. */
export const slices = [
  'main',
  'contract',
  'pages',
  'surfaces',
  'reports',
  'people',
  'reconcile',
  'learning',
  'payouts',
  'orders',
  'entitlements',
  'ledger',
  'catalog',
  'identity',
  'mail',
  'events',
  'action',
  'db',
] as const

/** Programs that use the whole hub; the hub never uses them. The first two may build on the scenarios' checks. */
export const above = ['chaos', 'bench', 'scenarios', 'browser'] as const

const packages = { kit: [], connectors: ['kit'], hub: ['kit', 'connectors'], checkout: [] } as const satisfies Record<
  string,
  string[]
>

const packageOf = (file: string): string | null => /^packages\/([^/]+)\//.exec(file)?.[1] ?? null
const sliceOf = (file: string): string | null => /^packages\/hub\/src\/([^/]+)\//.exec(file)?.[1] ?? null

/** 0 at the bottom; everything above main shares the top. Null for a slice nobody listed. */
const heightOf = (slice: string): number | null => {
  if ((above as readonly string[]).includes(slice)) return slices.length
  const place = (slices as readonly string[]).indexOf(slice)
  return place < 0 ? null : slices.length - 1 - place
}

type Edge = { readonly from: string; readonly to: string; readonly line: number }

const edgesOf = (source: Source): Edge[] =>
  source.imports.flatMap((i) => (i.to === null ? [] : [{ from: source.path, to: i.to, line: i.line }]))

/** Packages: kit knows nobody, connectors know kit, the hub knows both. */
function acrossPackages(edge: Edge): string | null {
  const [from, to] = [packageOf(edge.from), packageOf(edge.to)]
  if (to === null && from !== null) return 'a package never imports from scripts; move what both need into the package'
  if (from === null || to === null || from === to) return null
  const allowed: readonly string[] = from in packages ? packages[from as keyof typeof packages] : []
  if (allowed.includes(to)) return null
  return `${from} stands below ${to}; pass what it needs in as an argument, or move the shared part down into ${from}`
}

function acrossSlices(edge: Edge): string | null {
  // Nothing imports a test, so a test may set up the whole small world to look at its own slice in it.
  if (isTest(edge.from) && isTestSetup(edge.to)) return null
  const [from, to] = [sliceOf(edge.from), sliceOf(edge.to)]
  if (from === null || to === null || from === to) return null
  const [high, low] = [heightOf(from), heightOf(to)]
  if (high === null || low === null) return null
  if (high === slices.length && low === slices.length && to !== 'scenarios' && !isTest(edge.from))
    return `${from} and ${to} stand side by side; move what both need into main or below`
  if (low === slices.length && high < slices.length)
    return `nothing in the hub uses ${to}; turn it round, or move the shared part into ${from}`
  if (low <= high) return null
  return `${from} stands below ${to}; move the shared part down into ${from}, or let the caller hand it in`
}

function testSetup(edge: Edge): string | null {
  if (!isTestSetup(edge.to) || isTest(edge.from) || isTestSetup(edge.from)) return null
  if (edge.from.startsWith('scripts/')) return null
  const slice = sliceOf(edge.from)
  // The storm, the benchmarks and the scenarios are tests by nature: they build a world to break it or to time it.
  if (slice !== null && (above as readonly string[]).includes(slice)) return null
  return 'set-ups for tests are for tests; move what the program needs into a file of its own'
}

const unlisted = (source: Source): Violation[] => {
  const slice = sliceOf(source.path)
  if (slice === null || heightOf(slice) !== null) return []
  const message = `no place is set for the slice ${slice}; put it into the list in scripts/tidy/direction.ts, or into a slice that exists`
  return [{ rule: 'slices', path: source.path, line: 1, message }]
}

export function directionRule(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => [
    ...unlisted(source),
    ...edgesOf(source).flatMap((edge) =>
      [acrossPackages(edge), acrossSlices(edge), testSetup(edge)].flatMap((message) =>
        message === null
          ? []
          : [{ rule: 'direction', path: source.path, line: edge.line, message: `imports ${edge.to}: ${message}` }],
      ),
    ),
  ])
}

/** Files that import each other in a circle, types included: none of them can be understood alone. */
export function circleRule(sources: readonly Source[]): Violation[] {
  const graph = new Map(sources.map((s) => [s.path, edgesOf(s)]))
  const state = new Map<string, 'open' | 'done'>()
  const violations: Violation[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    state.set(file, 'open')
    for (const edge of graph.get(file) ?? []) {
      if (!graph.has(edge.to)) continue
      if (state.get(edge.to) === 'open') {
        const circle = [...trail.slice(trail.indexOf(edge.to)), edge.to].join(' → ')
        const message = `${circle} is a circle; move what they share into a file that both import`
        violations.push({ rule: 'circle', path: file, line: edge.line, message })
      } else if (state.get(edge.to) === undefined) visit(edge.to, [...trail, edge.to])
    }
    state.set(file, 'done')
  }
  for (const file of graph.keys()) if (state.get(file) === undefined) visit(file, [file])
  return violations
}

const isPureName = (file: string): boolean => /(^|\/)(rules|map)\.ts$/.test(file)
// Values of kit that reach for time, chance or the network.
const impureValues = new Set(['systemClock', 'startRealDeadline', 'secureRandom', 'createHttp'])

/**
 * `rules.ts` and `map.ts` decide and translate: the same input gives the same answer. So they, and whatever they
 * import by value, reach only kit, each other, and leaf files of the connectors that hold to the same.
 */
export function purityRule(sources: readonly Source[]): Violation[] {
  const byPath = new Map(sources.map((s) => [s.path, s]))
  const reasons = new Map<string, string | null>()
  const why = (file: string): string | null => {
    const known = reasons.get(file)
    if (known !== undefined) return known
    reasons.set(file, null) // Circles are told by their own rule.
    const source = byPath.get(file)
    const reason = source === undefined ? null : (impureImports(source, why)[0]?.message ?? asyncCode(source))
    reasons.set(file, reason)
    return reason
  }
  return sources
    .filter((s) => s.path.startsWith('packages/') && isPureName(s.path))
    .flatMap((s) => {
      const waits = asyncCode(s)
      return [
        ...impureImports(s, why),
        ...(waits === null ? [] : [{ rule: 'pure', path: s.path, line: 1, message: waits }]),
      ]
    })
}

const asyncCode = (source: Source): string | null =>
  /\b(async|await|Promise)\b/.test(source.code)
    ? `${source.path} waits for something; a decision takes what it needs as arguments and answers at once`
    : null

function impureImports(source: Source, why: (file: string) => string | null): Violation[] {
  const inHub = source.path.startsWith('packages/hub/')
  return source.imports.flatMap((i) => {
    const tell = (message: string): Violation[] => [{ rule: 'pure', path: source.path, line: i.line, message }]
    if (i.to === null && i.typeOnly) return []
    if (i.to === null)
      return tell(
        `imports ${i.specifier}; rules and maps use kit and plain data only: let the caller read and pass the result`,
      )
    if (i.to.startsWith('packages/kit/')) {
      const value = i.typeOnly ? undefined : i.names.find((n) => impureValues.has(n))
      return value === undefined
        ? []
        : tell(`takes ${value} from kit; take a moment or a number as an argument instead`)
    }
    if (isPureName(i.to)) return []
    if (i.typeOnly && i.to.startsWith('packages/connectors/')) return []
    if (inHub)
      return tell(
        `imports ${i.to}; rules.ts imports kit, types of connectors and other rules.ts only: move the decision there, or pass the value in`,
      )
    const reason = i.typeOnly ? null : why(i.to)
    return reason === null ? [] : tell(`imports ${i.to}, which is not pure (${reason})`)
  })
}
