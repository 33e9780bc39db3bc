/** `node packages/checkout/src/generate.ts` writes what is derived from description.ts. */
import { readFile, writeFile } from 'node:fs/promises'
import { manifest, markdown } from './manifest.ts'

const guide = new URL('../../../docs/guides/widget.md', import.meta.url)
const marks = /(<!-- elements -->\n)[\s\S]*?(\n<!-- \/elements -->)/

await writeFile(new URL('../custom-elements.json', import.meta.url), manifest())
const text = await readFile(guide, 'utf8')
await writeFile(
  guide,
  text.replace(marks, (_, open: string, close: string) => open + markdown() + close),
)
