/**
 * `npm run generate` writes what is derived from the code: docs/reference and the dumped schema. With `--check` it
 * writes nothing and ends with 1 when a page of the reference is not current.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import manifest from '../packages/hub/package.json' with { type: 'json' }
import { defineActions } from '../packages/hub/src/action/define.ts'
import { allActions } from '../packages/hub/src/main/actions.ts'
import { reference } from '../packages/hub/src/surfaces/reference.ts'
import { capabilitiesMarkdown } from './reference/capabilities.ts'
import { policyMarkdown } from './reference/policy.ts'
import { settingsMarkdown } from './reference/settings.ts'
import { timelineMarkdown } from './reference/timeline.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = 'docs/reference'
const schemaDump = 'scripts/dump-schema.ts'
const check = process.argv.includes('--check')

const files: Readonly<Record<string, string>> = {
  ...reference(defineActions(allActions), manifest.version),
  'settings.md': settingsMarkdown(),
  'capabilities.md': capabilitiesMarkdown(),
  'timeline.md': timelineMarkdown(),
  'failure-policy.md': policyMarkdown(),
}

async function currentText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    // Not written yet, which is one way of not being current.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function docs(): Promise<string[]> {
  const stale: string[] = []
  await mkdir(path.join(root, folder), { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, folder, name)
    if ((await currentText(file)) === text) continue
    stale.push(`${folder}/${name}`)
    if (!check) await writeFile(file, text)
  }
  return stale
}

/** The schema needs a database, so it has a program of its own; that it is current is held by its test. */
function schema(): boolean {
  if (check || !existsSync(path.join(root, schemaDump))) return true
  const done = spawnSync(process.execPath, [path.join(root, schemaDump)], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return done.status === 0
}

const stale = await docs()
const dumped = schema()
for (const file of stale) process.stdout.write(check ? `${file} is not current\n` : `${file} written\n`)
if (check && stale.length > 0) process.stdout.write('Run: npm run generate\n')
process.exitCode = !dumped || (check && stale.length > 0) ? 1 : 0
