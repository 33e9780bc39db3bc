import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { errorTable } from '@bursar/kit/errors.ts'
import type { Registered, Registry } from '#action/define.ts'
import type { JsonSchema } from '#action/schema.ts'
import { bySlice, fieldsOf, sampleOf } from './describe.ts'
import { openapi } from './openapi.ts'
import { apiPrefix } from './prefix.ts'

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const fieldTable = (schema: JsonSchema): string => {
  const rows = fieldsOf(schema).map(
    (field) =>
      `| \`${field.path}\` | ${cell(field.type)} | ${field.required ? 'yes' : ''} | ${cell(field.description)} |`,
  )
  return rows.length === 0
    ? 'Nothing.'
    : ['| field | type | required | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

/** A request to copy: the first example, or the required fields with sample values. */
export function curlOf(it: Registered, url = 'http://127.0.0.1:8787'): string {
  const input = it.action.examples?.[0]?.input ?? sampleOf(it.inputSchema)
  const body = JSON.stringify(input).replaceAll("'", `'\\''`)
  return [
    `curl -X POST ${url}${apiPrefix}/${it.action.name}`,
    ...(it.action.access === 'public' ? [] : [`-H "Authorization: Bearer $BURSAR_KEY"`]),
    `-H 'Content-Type: application/json'`,
    ...(it.action.effect === 'read' ? [] : [`-H "Idempotency-Key: $(uuidgen)"`]),
    `-d '${body}'`,
  ].join(' \\\n  ')
}

const actionText = (it: Registered): string => {
  const { name, summary, access, effect } = it.action
  return `### \`${name}\`

${summary}

Scope: ${access === 'public' ? 'none, no key needed' : `\`${access}\``}. Effect: ${effect}.

Input:

${fieldTable(it.inputSchema)}

Answer:

${fieldTable(it.outputSchema)}

\`\`\`sh
${curlOf(it)}
\`\`\``
}

/** Every action for readers, grouped by topic. */
export function actionsMarkdown(registry: Registry): string {
  const slices = [...bySlice(registry.all)].map(
    ([slice, actions]) => `## ${slice}\n\n${actions.map(actionText).join('\n\n')}`,
  )
  const scopes = registry.scopes.map((scope) => `\`${scope}\``).join(', ')
  return `# Actions

Written by \`npm run generate\` from the code. Each action is \`POST ${apiPrefix}/<name>\` and \`npx bursar <name>\`.

Scopes: ${scopes}. A write scope includes its read scope; \`*\` includes all but \`operator\`.

${slices.join('\n\n')}
`
}

/** Every error code with what it means and what to do. */
export function errorsMarkdown(): string {
  const rows = Object.entries(errorTable).map(
    ([code, row]) => `| \`${code}\` | ${row.status} | ${cell(row.summary)} | ${cell(row.fix)} |`,
  )
  return `# Error codes

Written by \`npm run generate\` from \`packages/kit/src/errors.ts\`. Switch on the code; the sentences may change.

| code | status | meaning | what to do |
|---|---|---|---|
${rows.join('\n')}
`
}

/** What stands in docs/reference, by file name. */
export const reference = (registry: Registry, version: string): Readonly<Record<string, string>> => ({
  'openapi.json': `${JSON.stringify(openapi(registry, version), null, 2)}\n`,
  'actions.md': actionsMarkdown(registry),
  'errors.md': errorsMarkdown(),
})

export async function writeReference(folder: string, registry: Registry, version: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(reference(registry, version)))
    await writeFile(path.join(folder, name), text)
}
