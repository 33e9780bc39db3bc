/**
 * The command behind `npm test`: one database cluster for the run, the schema built once, then Node's own test runner.
 * Arguments: file paths, parts of file names, and `--…` options of `node --test`.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { clusterEnvironment, prepareTemplate } from '../packages/hub/src/db/testing.ts'
import { withCluster } from './cluster.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const patterns = ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts']
/** Two test files at a time: each has its own processes and the database beside it, on two cores. */
const filesAtOnce = 2
const standardReporters = ['spec', './scripts/slowest.ts'].flatMap((name) => [
  `--test-reporter=${name}`,
  '--test-reporter-destination=stdout',
])

const args = process.argv.slice(2)
const flags = args.filter((a) => a.startsWith('-'))
const wanted = args.filter((a) => !a.startsWith('-')).map((a) => path.relative(root, path.resolve(a)))
const names = args.filter((a) => !a.startsWith('-'))
const files = patterns
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .filter((file) => names.length === 0 || wanted.includes(file) || names.some((name) => file.includes(name)))
  .sort()

if (files.length === 0) {
  process.stderr.write(`no test file matches ${names.join(' ')}\n`)
  process.exit(1)
}
process.exitCode = await withCluster(async (url, folder) => {
  await prepareTemplate(url)
  return runTests(url, folder)
})

function runTests(clusterUrl: string, folder: string): Promise<number> {
  const reporters = flags.some((flag) => flag.startsWith('--test-reporter')) ? [] : standardReporters
  const options = [`--test-concurrency=${filesAtOnce}`, ...reporters, ...flags]
  const child = spawn(process.execPath, ['--test', ...options, ...files], {
    cwd: root,
    stdio: 'inherit',
    // What a test puts into the system's temporary folder, and a killed one leaves there, goes with the run.
    env: { ...clusterEnvironment(clusterUrl), TMPDIR: folder },
  })
  // Ctrl-C reaches the runner as well as us; SIGTERM only us. Either way it ends first and we clean up after it.
  const pass = (name: NodeJS.Signals) => () => child.kill(name)
  process.on('SIGINT', pass('SIGINT')).on('SIGTERM', pass('SIGTERM'))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
