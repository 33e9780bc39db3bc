import { parseArgs } from 'node:util'
import { enroll } from './enroll.ts'
import type { BenchOptions, Figure } from './figure.ts'
import { benchIngest } from './ingest.ts'
import { onboard } from './onboard.ts'
import { recovery } from './recovery.ts'
import { start } from './start.ts'

const benches: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Figure[]>>> = {
  ingest: benchIngest,
  enroll,
  onboard,
  recovery,
  start,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
  },
})

const line = (f: Figure): string =>
  `${f.holds ? 'holds ' : 'MISSES'}  ${f.bench.padEnd(9)} ${f.figure.padEnd(52)} ${String(f.value).padStart(8)} ${f.unit.padEnd(6)} goal ${f.goal}${f.limit === null ? '' : `, beside ${f.limit}`}`

/** `npm run bench -- ingest|enroll|onboard|recovery|start [--json] [--seconds N] [--rounds N]`. Exit 0 only when all hold. */
async function main(): Promise<number> {
  const names = positionals.length === 0 ? Object.keys(benches) : positionals
  const unknown = names.filter((name) => !Object.hasOwn(benches, name))
  if (unknown.length > 0) {
    process.stderr.write(`Unknown: ${unknown.join(', ')}. There are: ${Object.keys(benches).join(', ')}.\n`)
    return 2
  }
  let holds = true
  for (const name of names) {
    const bench = benches[name]
    if (bench === undefined) continue
    for (const figure of await bench({ seconds: Number(values.seconds), rounds: Number(values.rounds) })) {
      holds &&= figure.holds
      process.stdout.write(`${values.json ? JSON.stringify(figure) : line(figure)}\n`)
    }
  }
  return holds ? 0 : 1
}

process.exitCode = await main()
