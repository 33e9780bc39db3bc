import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'

const pages: Readonly<Record<string, string>> = {
  '/quiet': '<h1>Quiet</h1>',
  '/outside': '<h1>Outside</h1><img alt="" src="http://pictures.example/a.png">',
  '/broken': '<h1>Broken</h1><script>throw new Error("torn")</script>',
  '/complaint': '<h1>Complaint</h1><script>console.error("it hurts")</script>',
  '/policy': '<h1>Policy</h1><style>h1{color:red}</style>',
}

let server: Server
let browser: Browser
let url: string
before(async () => {
  server = createServer((request, response) => {
    const policy = request.url === '/policy' ? { 'content-security-policy': "default-src 'none'" } : {}
    response.writeHead(200, { 'content-type': 'text/html', ...policy }).end(pages[request.url ?? ''] ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  browser = await launchChromium()
})
after(async () => {
  await browser.close()
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
})

async function look(path: string): Promise<void> {
  const { page, leave } = await visit(browser)
  await page.goto(url + path)
  await page.getByRole('heading').waitFor()
  await leave()
}

test('a quiet page passes', () => look('/quiet'))
test('a request that would leave this machine fails the test', () =>
  assert.rejects(look('/outside'), /left this machine: http:\/\/pictures\.example/))
test('an error in a page fails the test', () => assert.rejects(look('/broken'), /page error: torn/))
test('an error in the console fails the test', () => assert.rejects(look('/complaint'), /console: it hurts/))
test('a broken content policy fails the test', () => assert.rejects(look('/policy'), /content policy: style-src/))
