/** A reporter for Node's test runner: where the time of a run went, by file. Beside `spec`, which tells the outcomes. */
import path from 'node:path'
import { second } from '../packages/kit/src/clock.ts'

type Event = { readonly type: string; readonly data: { readonly file?: string; readonly duration_ms?: number } }

const shown = 10

// Node takes a reporter from the default export of its module and from nowhere else.
export { slowest as default }

async function* slowest(events: AsyncIterable<Event>): AsyncGenerator<string> {
  const files: { file: string; ms: number }[] = []
  for await (const { type, data } of events)
    if (type === 'test:summary' && data.file !== undefined && data.duration_ms !== undefined)
      files.push({ file: path.relative(process.cwd(), data.file), ms: data.duration_ms })
  const all = files.reduce((sum, { ms }) => sum + ms, 0)
  yield `\nthe slowest of ${files.length} files, which took ${(all / second).toFixed(0)} s one after another:\n`
  for (const { file, ms } of files.sort((a, b) => b.ms - a.ms).slice(0, shown))
    yield `${(ms / second).toFixed(1).padStart(6)} s  ${file}\n`
}
