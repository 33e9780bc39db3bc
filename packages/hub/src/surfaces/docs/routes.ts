import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import type { App } from '#action/context.ts'
import type { Registry } from '#action/define.ts'
import manifest from '../../../package.json' with { type: 'json' }
import { openapi } from '../openapi.ts'
import { docsPage } from './page.ts'

// Our own script and style only, nothing inline, and calls to this hub only.
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** `/api/openapi.json` and a page to read and try it, `/api/docs`. */
export async function registerDocs(fastify: FastifyInstance, app: App, registry: Registry): Promise<void> {
  const file = (name: string) => readFile(new URL(`./${name}`, import.meta.url), 'utf8')
  const [style, script] = await Promise.all([file('docs.css'), file('try.js')])
  const document = JSON.stringify(openapi(registry, manifest.version))
  const page = docsPage(registry, { url: app.publicUrl, version: manifest.version })

  fastify.get('/api/openapi.json', (_, reply) => reply.type('application/json').send(document))
  fastify.get('/api/docs', (_, reply) =>
    reply.header('content-security-policy', contentSecurityPolicy).type('text/html; charset=utf-8').send(page),
  )
  fastify.get('/api/docs/docs.css', (_, reply) => reply.type('text/css; charset=utf-8').send(style))
  fastify.get('/api/docs/try.js', (_, reply) => reply.type('text/javascript; charset=utf-8').send(script))
}
