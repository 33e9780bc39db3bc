/** Writes what the migrations result in to packages/hub/src/db/schema.generated.sql. Part of `npm run generate`. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { schemaText } from '../packages/hub/src/db/schema-text.ts'
import { testDatabase } from '../packages/hub/src/db/testing.ts'

const target = fileURLToPath(new URL('../packages/hub/src/db/schema.generated.sql', import.meta.url))
const database = await testDatabase()
try {
  await writeFile(target, await schemaText(database.url))
} finally {
  await database.drop()
}
