import { second, systemClock } from '@bursar/kit/clock.ts'
import { readConfig } from './config.ts'
import { serve } from './serve.ts'

const exitUsage = 2

/** Starts the hub and stays until it is told to stop. Returns the exit code. */
export async function start(): Promise<number> {
  const began = systemClock.now()
  const read = readConfig()
  if (!read.ok) {
    process.stderr.write(
      `Bursar cannot start:\n${read.problems.map((p) => `  - ${p}\n`).join('')}All settings: docs/reference/settings.md\n`,
    )
    return exitUsage
  }
  let asked: () => void = () => undefined
  const toldToStop = new Promise<void>((resolve) => {
    asked = resolve
  })
  let signals = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      signals += 1
      // A second wish is a wish to go now.
      if (signals > 1) process.exit(1)
      asked()
    })
  const running = await serve(read.config)
  const seconds = ((systemClock.now() - began) / second).toFixed(1)
  const what = read.config.demo ? 'demo school; simulators at /sandbox' : `${read.config.role}`
  process.stdout.write(`Bursar is ready${running.url === null ? '' : ` at ${running.url}`} (${what}, ${seconds} s)\n`)
  await toldToStop
  process.stdout.write('Bursar is stopping; what runs is finished first.\n')
  await running.stop()
  return 0
}

/** The same, with a start that fails told in one sentence. */
export async function startOrTell(): Promise<number> {
  try {
    return await start()
  } catch (error) {
    process.stderr.write(`Bursar could not start: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

if (import.meta.main) process.exitCode = await startOrTell()
