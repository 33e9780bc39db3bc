/** A worker in a process of its own, for tests that kill it. Arguments: database, node id. Prints what it starts. */
import { systemClock } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { startWorker } from './worker.ts'

const [url = '', node = ''] = process.argv.slice(2)
const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const hang = async () => {
  process.stdout.write('started\n')
  await systemClock.sleep(60_000)
  return undefined
}
await startWorker({ url, node, tasks: { hang }, concurrency: 4, clock: systemClock, random: secureRandom, log })
process.stdout.write('ready\n')
