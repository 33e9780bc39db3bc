/**
 * `npm run check`: everything CI holds, in the order in which it fails fastest. `--no-tests` leaves the tests out
 * (the tidy rules stay in). Every step runs, so that one run tells everything.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { second, systemClock } from '../packages/kit/src/clock.ts'

type Step = { readonly name: string; readonly command: string; readonly args: readonly string[] }

const root = fileURLToPath(new URL('..', import.meta.url))
const noTests = process.argv.includes('--no-tests')
const bin = (name: string) => path.join(root, 'node_modules', '.bin', name)
const node = process.execPath

// `npm test` finds the tidy rules by itself; without it they run alone.
const tidy: Step = { name: 'tidy', command: node, args: ['--test', 'scripts/tidy.test.ts', 'scripts/docs.test.ts'] }
const tests: Step = { name: 'tests', command: node, args: ['scripts/test.ts'] }

const steps: readonly Step[] = [
  { name: 'types', command: bin('tsc'), args: ['--noEmit', '-p', 'tsconfig.json'] },
  // Runs in browsers: its types know the page, and nothing of Node.
  { name: 'types of the elements', command: bin('tsc'), args: ['--noEmit', '-p', 'packages/checkout/tsconfig.json'] },
  { name: 'lint', command: bin('biome'), args: ['ci', '--error-on-warnings', '.'] },
  { name: 'generated files', command: node, args: ['scripts/generate.ts', '--check'] },
  noTests ? tidy : tests,
]

const run = (step: Step): boolean => {
  const began = systemClock.now()
  process.stdout.write(`\n> ${step.name}\n`)
  const done = spawnSync(step.command, [...step.args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (done.error !== undefined) process.stderr.write(`${step.name} could not run: ${done.error.message}\n`)
  const seconds = ((systemClock.now() - began) / second).toFixed(1)
  process.stdout.write(`> ${step.name}: ${done.status === 0 ? 'holds' : 'does not hold'} (${seconds} s)\n`)
  return done.status === 0
}

const held = steps.map(run)
const failed = steps.filter((_, i) => held[i] !== true).map((s) => s.name)
process.stdout.write(`\ncheck: ${steps.length - failed.length} passed, ${failed.length} failed`)
process.stdout.write(failed.length === 0 ? '\n' : ` (${failed.join(', ')})\n`)
process.exitCode = failed.length === 0 ? 0 : 1
