import { parseArgs } from 'node:util'
import { systemClock } from '@bursar/kit/clock.ts'
import { run } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '10' },
    steps: { type: 'string', default: '360' },
    story: { type: 'boolean', default: false },
  },
})

const whole = (name: string, text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} must be a whole number`)
  return Number(text)
}

const storyTail = 40

// A run takes five seconds, twenty beside other work. One that stands still is told and tried once more: with another
// timing of the database it ends, or the seed fails.
const standsStillMs = 90_000
const triesMax = 2

/** The run of a seed; null when it stood still each time. What it left open ends with the process. */
async function tried(options: Parameters<typeof run>[0], onStandstill: () => void) {
  for (let n = 0; n < triesMax; n++) {
    let timer: NodeJS.Timeout | undefined
    const still = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), standsStillMs)
    })
    const result = await Promise.race([run(options), still])
    clearTimeout(timer)
    if (result !== null) return result
    process.stderr.write(`seed ${options.seed} stood still for ${standsStillMs / 1_000} s\n`)
    onStandstill()
  }
  return null
}

/**
 * `npm run chaos -- --seed N --runs M [--steps S] [--story]`: M storms with the seeds N, N+1, … A seed that fails
 * fails again. Prints one JSON line; exit 0 only without violations.
 */
async function main(): Promise<number> {
  const seed = whole('seed', values.seed)
  const runs = whole('runs', values.runs)
  const began = systemClock.now()
  const total = {
    runs: 0,
    seed,
    violations: 0,
    steps: 0,
    lives: 0,
    kills: 0,
    deliveries: 0,
    duplicates: 0,
    lost: 0,
    requests: 0,
    stoodStill: 0,
  }
  const failing: number[] = []
  for (let i = 0; i < runs; i++) {
    const result = await tried({ seed: seed + i, steps: whole('steps', values.steps) }, () => {
      total.stoodStill += 1
    })
    if (result === null) {
      total.violations += 1
      failing.push(seed + i)
      continue
    }
    total.runs += 1
    for (const key of ['steps', 'lives', 'kills', 'deliveries', 'duplicates', 'lost', 'requests'] as const)
      total[key] += result[key]
    total.violations += result.violations.length
    const unfinished = result.story.at(-1) === 'the quiet did not end'
    if (unfinished) total.violations += 1
    if (values.story) process.stderr.write(`${result.story.join('\n')}\n`)
    if (result.violations.length === 0 && !unfinished) continue
    failing.push(result.seed)
    process.stderr.write(`seed ${result.seed} broke the promise:\n${JSON.stringify(result.violations, null, 2)}\n`)
    process.stderr.write(
      `its last steps:\n${result.story
        .slice(-storyTail)
        .map((s) => `  ${s}\n`)
        .join('')}`,
    )
  }
  process.stdout.write(`${JSON.stringify({ ...total, failing, ms: systemClock.now() - began })}\n`)
  return total.violations === 0 ? 0 : 1
}

// At once: a run that stood still has left servers and connections behind.
process.exit(await main())
