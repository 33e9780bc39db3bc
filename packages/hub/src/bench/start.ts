import { request } from 'undici'
import { type BenchOptions, type Figure, median, rounded } from './figure.ts'
import { inFolder, startHub } from './hub-process.ts'

const goalMs = 5_000

/** P7: from the command to the first page, on an empty folder and on one that was used before. */
export async function start(options: BenchOptions): Promise<Figure[]> {
  const first: number[] = []
  const second: number[] = []
  for (let round = 0; round < options.rounds; round++)
    await inFolder(async (folder) => {
      for (const times of [first, second]) {
        const began = performance.now()
        const hub = await startHub({ PORT: '0', BURSAR_LOG: 'error', BURSAR_DATA: `${folder}/data` }, folder)
        const page = await request(`${hub.url}/api/docs`)
        await page.body.dump()
        if (page.statusCode !== 200) throw new Error(`the first page answered ${page.statusCode}`)
        times.push(performance.now() - began)
        await hub.kill('SIGTERM')
      }
    })
  const row = (figure: string, value: number): Figure => ({
    bench: 'start',
    figure,
    value: rounded(value),
    unit: 'ms',
    limit: goalMs,
    ratio: rounded(value / goalMs),
    goal: `< ${goalMs} ms (P7)`,
    holds: value < goalMs,
  })
  return [row('first page on an empty folder', median(first)), row('first page on a second start', median(second))]
}
