import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { compiler, writePackage } from './package.ts'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))

const sources = {
  'shop.tsx': `import { BursarCheckout, type BursarEvent } from '@bursar/checkout/react'
export const thank = (event: BursarEvent): string => event.detail.orderRef ?? ''
export const Shop = () => <BursarCheckout organization="harbour" prices={['price_1']} onPaymentSuccess={thank} />
// @ts-expect-error There is no amount to set.
export const Cheap = () => <BursarCheckout organization="harbour" amount={1} />
`,
  'course.ts': `import type { BursarEvent } from '@bursar/checkout/angular'
export const paid = ({ detail }: BursarEvent): string => detail.status
`,
  'plain.ts': `import { BursarCheckout } from '@bursar/checkout'
const element: BursarCheckout | null = document.querySelector('bursar-checkout')
element?.addEventListener('paymentSuccess', ({ detail }) => document.title = detail.orderRef ?? '')
`,
  'server.mjs': `import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { BursarCheckout } from '@bursar/checkout/react'
import '@bursar/checkout'
import '@bursar/checkout/angular'
console.log(renderToStaticMarkup(createElement(BursarCheckout, { organization: 'harbour', prices: 'price_1' })))
`,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      ...{ target: 'es2022', module: 'nodenext', lib: ['es2022', 'dom', 'dom.iterable'], jsx: 'react-jsx' },
      ...{ strict: true, noEmit: true, types: [] },
    },
  }),
  'package.json': JSON.stringify({ name: 'shop', type: 'module' }),
}

let shop: string
before(async () => {
  shop = await mkdtemp(path.join(tmpdir(), 'bursar-shop-'))
  const installed = path.join(shop, 'node_modules', '@bursar', 'checkout')
  await writePackage(path.join(installed, 'dist'))
  const { files } = JSON.parse(await readFile(path.join(home, 'package.json'), 'utf8')) as { files: readonly string[] }
  for (const name of ['package.json', ...files.filter((name) => name !== 'dist')])
    await cp(path.join(home, name), path.join(installed, name))
  await mkdir(path.join(shop, 'node_modules', '@types'))
  for (const name of ['react', 'react-dom', '@types/react'])
    await symlink(
      path.dirname(findPackageJSON(name, import.meta.url) ?? ''),
      path.join(shop, 'node_modules', name),
      'dir',
    )
  for (const [name, text] of Object.entries(sources)) await writeFile(path.join(shop, name), text)
})
after(() => rm(shop, { recursive: true, force: true }))

test('a project of its own compiles against the built package, and is told of an attribute that does not exist', async () => {
  const { stdout } = await run(process.execPath, [compiler, '-p', shop], { cwd: shop }).catch(
    (error: { readonly stdout: string }) => error,
  )
  assert.equal(stdout, '')
})

test('it renders on a server, where there are no elements', async () => {
  const { stdout } = await run(process.execPath, ['server.mjs'], { cwd: shop })
  assert.equal(stdout.trim(), '<bursar-checkout organization="harbour" prices="price_1"></bursar-checkout>')
})

test('a bundler takes the elements into the shop’s own script', async () => {
  const { outputFiles } = await build({
    stdin: { contents: "import '@bursar/checkout'", resolveDir: shop },
    ...{ bundle: true, write: false, format: 'esm', logLevel: 'silent' },
  })
  assert.match(outputFiles[0]?.text ?? '', /"bursar-checkout": BursarCheckout/)
})

test('everything that package.json promises is there', async () => {
  const installed = path.join(shop, 'node_modules', '@bursar', 'checkout')
  const { exports } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8')) as {
    exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  }
  const promised = Object.values(exports).flatMap((it) => (typeof it === 'string' ? [it] : Object.values(it)))
  for (const file of promised) await readFile(path.join(installed, file))
})
