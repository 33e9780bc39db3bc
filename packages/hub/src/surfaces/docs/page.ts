import { errorTable } from '@bursar/kit/errors.ts'
import type { Registered, Registry } from '#action/define.ts'
import type { JsonSchema } from '#action/schema.ts'
import { bySlice, fieldsOf, sampleOf } from '../describe.ts'
import { curlOf } from '../reference.ts'

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const esc = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c)

/** The API as one page that works without scripts; the "try it" forms need the one script we serve. */
export function docsPage(registry: Registry, options: { readonly url: string; readonly version: string }): string {
  const slices = [...bySlice(registry.all)]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Bursar API</title>
<link rel="stylesheet" href="/api/docs/docs.css">
<script src="/api/docs/try.js" type="module"></script>
</head>
<body>
<a class="skip" href="#actions">Skip to the actions</a>
<header>
<h1>Bursar API <small>${esc(options.version)}</small></h1>
<p>Every capability is one <code>POST</code> with a JSON object, answered with a JSON object.
The same as a file: <a href="/api/openapi.json">OpenAPI 3.1</a>.</p>
<form id="key-form" class="key" autocomplete="off">
<label for="key">API key for trying things out</label>
<input id="key" type="password" autocomplete="off" spellcheck="false" placeholder="bsk_…">
<p class="hint">Kept in this page only, and gone when it closes.</p>
</form>
</header>
<nav aria-label="Actions">
${slices.map(([slice, actions]) => navGroup(slice, actions)).join('\n')}
<p><a href="#errors">Error codes</a></p>
</nav>
<main id="actions">
${slices.map(([slice, actions]) => `<h2>${esc(slice)}</h2>\n${actions.map((it) => section(it, options.url)).join('\n')}`).join('\n')}
<h2 id="errors">Error codes</h2>
<div class="wide" role="region" aria-label="Error codes" tabindex="0">${errorsTable()}</div>
</main>
</body>
</html>
`
}

const navGroup = (slice: string, actions: readonly Registered[]): string =>
  `<p>${esc(slice)}</p><ul>${actions.map(({ action: { name } }) => `<li><a href="#${name}">${esc(name)}</a></li>`).join('')}</ul>`

function section(it: Registered, url: string): string {
  const { name, summary, access, effect } = it.action
  const needs = access === 'public' ? 'no key' : `scope <code>${esc(access)}</code>`
  return `<section id="${name}" aria-labelledby="${name}-title">
<h3 id="${name}-title"><code>${esc(name)}</code></h3>
<p>${esc(summary)}</p>
<p class="facts">${needs} · effect <code>${effect}</code></p>
<details><summary>Input and answer</summary>
<h4>Input</h4>${fieldsTable(it.inputSchema)}
<h4>Answer</h4>${fieldsTable(it.outputSchema)}
<h4>Request</h4><pre tabindex="0">${esc(curlOf(it, url))}</pre>
</details>
<details><summary>Try it</summary>${tryForm(it)}</details>
</section>`
}

function tryForm(it: Registered): string {
  const { name, effect, examples } = it.action
  const input = JSON.stringify(examples?.[0]?.input ?? sampleOf(it.inputSchema), null, 2)
  const dryRun = `<label class="check"><input type="checkbox" name="dry-run" checked> Dry run: show what would happen, change nothing</label>`
  return `<form class="try" data-action="${name}">
<label for="${name}-input">Input</label>
<textarea id="${name}-input" name="input" rows="${Math.min(14, input.split('\n').length + 1)}" spellcheck="false">${esc(input)}</textarea>
${effect === 'read' ? '' : dryRun}
<button type="submit">Send</button>
<output for="${name}-input" aria-live="polite"></output>
</form>`
}

function fieldsTable(schema: JsonSchema): string {
  const rows = fieldsOf(schema).map(
    (field) =>
      `<tr><th scope="row"><code>${esc(field.path)}</code></th><td>${esc(field.type)}</td><td>${field.required ? 'required' : 'optional'}</td><td>${esc(field.description)}</td></tr>`,
  )
  if (rows.length === 0) return '<p>Nothing.</p>'
  return `<div class="wide"><table><thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Needed</th><th scope="col">Meaning</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

const errorsTable = (): string =>
  `<table><thead><tr><th scope="col">Code</th><th scope="col">Status</th><th scope="col">Meaning</th><th scope="col">What to do</th></tr></thead><tbody>${Object.entries(
    errorTable,
  )
    .map(
      ([code, row]) =>
        `<tr><th scope="row"><code>${code}</code></th><td>${row.status}</td><td>${esc(row.summary)}</td><td>${esc(row.fix)}</td></tr>`,
    )
    .join('')}</tbody></table>`
