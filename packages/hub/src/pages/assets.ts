import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, type BuildResult, build, stop } from 'esbuild'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

type Asset = { readonly type: string; readonly bytes: Buffer; readonly gzip: Buffer; readonly etag: string }

/** The widget's files, and under which hashed names the frame's page finds its own. */
export type Assets = {
  readonly files: ReadonlyMap<string, Asset>
  /**
   * The path of what a page loads, of the entries `checkout`, `account` and `frame`: `checkout.js`, `frame.css`, or a
   * part such as `texts-de.js`, which differs by entry because names in it are shortened.
   */
  path(entry: string, name: string): string | null
  /** What an entry's own script imports at once. A page asks for it ahead, so that it comes along with the script. */
  imported(entry: string): readonly string[]
  readonly languages: readonly string[]
}

type Plan = {
  readonly shared: BuildOptions
  readonly builds: readonly BuildOptions[]
  /** Names of properties that are shortened. */
  readonly mangle: string
  readonly languages: readonly string[]
  readonly licenses: readonly string[]
}

export const assetPath = '/assets/checkout'

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
}

/** The smallest of what zlib can do: it differs by some dozens of bytes and is done once. */
const squeeze = (bytes: Buffer): Buffer =>
  [6, 7, 8, 9]
    .map((memLevel) => gzipSync(bytes, { level: 9, memLevel }))
    .reduce((best, next) => (next.length < best.length ? next : best))

const assetOf = (name: string, bytes: Buffer): Asset => ({
  type: types[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream',
  bytes,
  gzip: squeeze(bytes),
  etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
})

const fileName = (path: string): string => path.split('/').at(-1) ?? ''
const entryOf = (options: BuildOptions | undefined): string => Object.keys(options?.entryPoints ?? {})[0] ?? ''

/** `texts-de-ABCDEFGH.js` was `texts-de.js` before its hash. */
const plainName = (name: string): string => name.replace(/-[A-Z0-9]{8}(?=\.\w+$)/, '')

/** By entry: the files that its script imports at once, and what those import. */
function importsOf({ metafile }: BuildResult, entry: string): readonly string[] {
  const outputs = metafile?.outputs ?? {}
  const script = Object.keys(outputs).find((path) => plainName(fileName(path)) === `${entry}.js`)
  const found = new Set<string>()
  const follow = (path: string): void => {
    for (const it of outputs[path]?.imports ?? [])
      if (it.kind === 'import-statement' && !found.has(it.path)) {
        found.add(it.path)
        follow(it.path)
      }
  }
  if (script !== undefined) follow(script)
  return [...found].map((path) => `${assetPath}/${fileName(path)}`)
}

async function bundle(): Promise<Assets> {
  const manifest = import.meta.resolve('@bursar/checkout/package.json')
  const plan = JSON.parse(await readFile(new URL('bundle.json', manifest), 'utf8')) as Plan
  const home = fileURLToPath(new URL('.', manifest))
  const results = await Promise.all(
    plan.builds.map((options) =>
      build({
        ...plan.shared,
        ...options,
        mangleProps: new RegExp(plan.mangle),
        absWorkingDir: home,
        outdir: 'dist',
        write: false,
      }),
    ),
  )
  // Its own process; nothing else here bundles.
  await stop()
  const built = results.flatMap((result, i) => {
    const entry = entryOf(plan.builds[i])
    return (result.outputFiles ?? []).map((file) => {
      const name = fileName(file.path)
      return { entry, name, asset: assetOf(name, Buffer.from(file.contents)) }
    })
  })
  const licenses = await Promise.all(
    plan.licenses.map((name) =>
      readFile(path.join(path.dirname(findPackageJSON(name, manifest) ?? ''), 'LICENSE'), 'utf8'),
    ),
  )
  const notice = plan.licenses.map((name, i) => `${name}\n\n${licenses[i]}`).join('\n\n')
  const files = new Map(built.map(({ name, asset }) => [name, asset]))
  files.set('licenses.txt', assetOf('licenses.txt', Buffer.from(notice)))
  const imports = new Map(
    results.map((result, i) => {
      const entry = entryOf(plan.builds[i])
      return [entry, importsOf(result, entry)]
    }),
  )
  const byPlainName = new Map(built.map(({ entry, name }) => [`${entry}/${plainName(name)}`, name]))
  return {
    files,
    languages: plan.languages,
    path: (entry, name) => {
      const file = byPlainName.get(`${entry}/${name}`)
      return file === undefined ? null : `${assetPath}/${file}`
    },
    imported: (entry) => imports.get(entry) ?? [],
  }
}

let bundled: Promise<Assets> | null = null

/** Bundled once per process, when somebody first asks; about 50 ms. */
export function widgetAssets(): Promise<Assets> {
  bundled ??= bundle().catch((error: unknown) => {
    // The next who asks tries again; this one is told.
    bundled = null
    throw error
  })
  return bundled
}

// The name is fixed, so a new version is seen within minutes; the hashed names never change their content.
const hostCache = 'public, max-age=300'
const hashedCache = 'public, max-age=31536000, immutable'

function send(request: FastifyRequest, reply: FastifyReply, asset: Asset, cache: string): FastifyReply {
  const zipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  void reply.headers({
    'content-type': asset.type,
    'cache-control': cache,
    'cross-origin-resource-policy': 'cross-origin',
    'access-control-allow-origin': '*',
    vary: 'accept-encoding',
    etag: asset.etag,
  })
  if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send()
  return zipped ? reply.header('content-encoding', 'gzip').send(asset.gzip) : reply.send(asset.bytes)
}

/** `/bursar-checkout.js` (any script tag), `/bursar-checkout.mjs` (import), and the frame's own files. */
export function assetRoutes(fastify: FastifyInstance): void {
  for (const name of ['bursar-checkout.js', 'bursar-checkout.mjs'])
    fastify.get(`/${name}`, async (request, reply) => {
      const asset = (await widgetAssets()).files.get(name)
      return asset === undefined ? reply.callNotFound() : send(request, reply, asset, hostCache)
    })
  fastify.get<{ Params: { file: string } }>(`${assetPath}/:file`, async (request, reply) => {
    const { file } = request.params
    const asset = (await widgetAssets()).files.get(file)
    if (asset === undefined || plainName(file) === file) {
      if (file !== 'licenses.txt' || asset === undefined) return reply.callNotFound()
      return send(request, reply, asset, hostCache)
    }
    return send(request, reply, asset, hashedCache)
  })
}
