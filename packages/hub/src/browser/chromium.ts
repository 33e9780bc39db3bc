import { constants, createReadStream, createWriteStream } from 'node:fs'
import { access, chmod, readFile, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createBrotliDecompress } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'

const installed = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
] as const

/** Nothing but what a test asks for: no sandbox as root, and no chatter of the browser's own. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const

const isProgram = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )

/** An installed Chromium or Chrome, else the one that npm brought, unpacked once per machine and version. */
export async function findChromium(): Promise<string> {
  for (const file of installed) if (await isProgram(file)) return file
  return unpackChromium()
}

/**
 * The package's own unpacking writes in place, so a second process could start half a program. Here it appears whole
 * under its name. Needs no network.
 */
async function unpackChromium(): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`No browser found. Install Chromium or Chrome in one of these places: ${installed.join(', ')}.`)
  const home = new URL('../', import.meta.resolve('@sparticuz/chromium'))
  const { version } = JSON.parse(await readFile(new URL('package.json', home), 'utf8')) as { version: string }
  const file = path.join(tmpdir(), `bursar-chromium-${version}`)
  if (await isProgram(file)) return file
  const fresh = `${file}.${process.pid}`
  await pipeline(
    createReadStream(fileURLToPath(new URL('bin/chromium.br', home))),
    createBrotliDecompress(),
    createWriteStream(fresh),
  )
  await chmod(fresh, 0o755)
  await rename(fresh, file)
  return file
}

export const launchChromium = async (): Promise<Browser> =>
  chromium.launch({ executablePath: await findChromium(), args: [...flags], headless: true })
