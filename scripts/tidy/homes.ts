import { isGenerated, isTest, isTestSetup, matches, type Source, type Violation } from './source.ts'

/** Something that may stand in one place only, so that a reader, a test or the storm can own it. */
type Home = {
  readonly what: string
  readonly pattern: RegExp
  readonly instead: string
  readonly tests: 'free' | 'held'
  /** Every exception with its reason. A path that ends in a slash is a folder. */
  readonly allowed: Readonly<Record<string, string>>
}

const timing = {
  'packages/hub/src/bench/': 'measures the real time that passes',
  'packages/hub/src/chaos/': 'tells how long the storm really took',
} as const

export const homes: readonly Home[] = [
  {
    what: 'the environment',
    pattern: /\bprocess\.env\b/g,
    instead: 'add a setting to packages/hub/src/main/config.ts and take its value as an argument',
    tests: 'held',
    allowed: {
      'packages/hub/src/main/config.ts': 'the one reader',
      'packages/hub/src/db/testing.ts': 'a test file has no start-up that could hand the address of the cluster in',
      'scripts/': 'commands of the project itself, outside the program',
      'packages/hub/src/bench/': 'a command that starts the hub as a stranger would, with an environment of its own',
      'packages/hub/src/chaos/': 'a command that starts the hub as a stranger would, with an environment of its own',
    },
  },
  {
    what: 'the time',
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/g,
    instead: 'take a Clock (packages/kit/src/clock.ts) and ask clock.now()',
    tests: 'held',
    allowed: {
      'packages/kit/src/clock.ts': 'the one asker',
      'packages/checkout/src/frame/browser.ts': 'runs in a browser, where kit does not',
      ...timing,
    },
  },
  {
    what: 'timers',
    pattern: /\b(setTimeout|setInterval)\b/g,
    instead: 'use clock.sleep, or startRealDeadline for the network',
    tests: 'free',
    allowed: {
      'packages/kit/src/clock.ts': 'the one place that waits',
      'packages/checkout/src/': 'runs in a browser, where kit does not',
      'packages/connectors/src/simulator/server.ts': 'the fault `slow` is slow in real time',
      'packages/hub/src/pages/scripts/': 'runs in a browser, where kit does not',
      ...timing,
    },
  },
  {
    what: 'the stopwatch',
    pattern: /\bperformance\.now\b|\bprocess\.hrtime\b/g,
    instead: 'take a Clock; durations of calls are told by kit/http',
    tests: 'free',
    allowed: {
      ...timing,
      'packages/hub/src/surfaces/docs/try.js': 'runs in a browser, where kit does not',
    },
  },
  {
    what: 'calls to the outside',
    pattern: /\bfrom '(?:node:)?(?:undici|https?|net|tls|http2)'|(?<![.\w])fetch\(|\bhttps?\.(?:request|get)\(/g,
    instead: 'use Http of packages/kit/src/http.ts: it guards addresses, limits sizes and knows what was uncertain',
    tests: 'free',
    allowed: {
      'packages/kit/src/http.ts': 'the one way out',
      'packages/kit/src/http/': 'its parts',
      'packages/checkout/src/frame/browser.ts': 'runs in a browser, where kit does not',
      'packages/hub/src/surfaces/docs/try.js': 'runs in a browser, where kit does not',
      'packages/connectors/src/payments/stripe/simulator/browser/': 'runs in a browser, where kit does not',
      'packages/hub/src/bench/': 'plays the sender, as fast as it can',
      'packages/hub/src/chaos/': 'plays the sender',
    },
  },
  {
    what: 'message authentication codes and comparing secrets',
    pattern: /\b(createHmac|timingSafeEqual)\b/g,
    instead: 'use packages/kit/src/signature',
    tests: 'free',
    allowed: { 'packages/kit/src/signature/': 'written once, tested once' },
  },
  {
    what: 'encryption',
    pattern: /\bcreate(?:Cipher|Decipher)iv\b/g,
    instead: 'use packages/kit/src/secretbox.ts',
    tests: 'free',
    allowed: { 'packages/kit/src/secretbox.ts': 'the one lock' },
  },
]

const isAllowed = (home: Home, file: string): boolean =>
  Object.keys(home.allowed).some((a) => (a.endsWith('/') ? file.startsWith(a) : file === a)) ||
  (home.tests === 'free' && (isTest(file) || isTestSetup(file)))

// A listener is not a call: servers are made from the same modules, and only of these names.
const listens = /import\s*(?:type\s*)?\{([^}]*)\}\s*from\s*'node:(?:http|net)'/
const listening = new Set([
  'createServer',
  'Server',
  'IncomingMessage',
  'ServerResponse',
  'AddressInfo',
  'RequestListener',
])

function onlyListens(source: Source, line: number): boolean {
  const from = source.imports.find((i) => i.line <= line && /^node:(http|net)$/.test(i.specifier))
  if (from === undefined || !listens.test(source.text)) return false
  return from.typeOnly || from.names.every((name) => listening.has(name))
}

/** Names in import statements stand in strings, so the text decides there and the blanked code elsewhere. */
const found = (home: Home, source: Source): { readonly line: number; readonly text: string }[] => {
  const inCode = matches(source, home.pattern)
  const inImports = source.imports
    .filter((i) => new RegExp(home.pattern.source).test(`from '${i.specifier}'`))
    .map((i) => ({ line: i.line, text: `import from ${i.specifier}` }))
  return [...inCode, ...inImports.filter((i) => !onlyListens(source, i.line))]
}

export function homesRule(sources: readonly Source[]): Violation[] {
  return sources
    .filter((s) => /\.(ts|js)$/.test(s.path) && !isGenerated(s.path))
    .flatMap((source) =>
      homes
        .filter((home) => !isAllowed(home, source.path))
        .flatMap((home) =>
          found(home, source).map(({ line, text }) => ({
            rule: 'home',
            path: source.path,
            line,
            message: `\`${text}\`: ${home.what} has one home; ${home.instead}`,
          })),
        ),
    )
}
