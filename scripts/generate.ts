/**
 * `npm run generate` writes all that is derived from something else: docs/reference, the dumped schema, and what the
 * simulated Stripe accepts. With `--check` it writes nothing and ends with 1 when a file is not current.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import manifest from '../packages/hub/package.json' with { type: 'json' }
import { defineActions } from '../packages/hub/src/action/define.ts'
import { migrate } from '../packages/hub/src/db/migrate.ts'
import { schemaText } from '../packages/hub/src/db/schema-text.ts'
import { allActions } from '../packages/hub/src/main/actions.ts'
import { reference } from '../packages/hub/src/surfaces/reference.ts'
import { withCluster } from './cluster.ts'
import { stripeSchemas } from './generate-stripe-schemas.ts'
import { capabilitiesMarkdown } from './reference/capabilities.ts'
import { policyMarkdown } from './reference/policy.ts'
import { settingsMarkdown } from './reference/settings.ts'
import { timelineMarkdown } from './reference/timeline.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const check = process.argv.includes('--check')

const pages: Readonly<Record<string, string>> = {
  ...reference(defineActions(allActions), manifest.version),
  'settings.md': settingsMarkdown(),
  'capabilities.md': capabilitiesMarkdown(),
  'timeline.md': timelineMarkdown(),
  'failure-policy.md': policyMarkdown(),
}

/** By path, what each file should hold. */
const files: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(pages).map(([name, text]) => [`docs/reference/${name}`, text])),
  'packages/connectors/src/payments/stripe/schemas.generated.json': stripeSchemas(),
  'packages/hub/src/db/schema.generated.sql': await withCluster(async (url) => {
    await migrate(url)
    return schemaText(url)
  }),
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

let stale = 0
for (const [name, text] of Object.entries(files)) {
  const file = path.join(root, name)
  if ((await currentText(file)) === text) continue
  stale += 1
  if (!check) {
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  process.stdout.write(`${name} ${check ? 'is not current' : 'written'}\n`)
}
if (check && stale > 0) {
  process.stdout.write('Run: npm run generate\n')
  process.exitCode = 1
}
