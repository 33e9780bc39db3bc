import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { secureRandom } from '@bursar/kit/random.ts'
import { createSecretBox } from '@bursar/kit/secretbox.ts'
import type { App, Secrets } from '#action/context.ts'
import { sql } from '#db/sql.ts'
import { authenticate } from '#identity/authenticate.ts'
import { createKey } from '#identity/keys.ts'

const keyBytes = 32
const keyFile = 'secret.key'
const runFile = 'run.json'
const probeText = 'bursar'
const probeAad = 'installation'

/** The key that encrypts stored credentials: the one given, or one made once and kept in the data folder. */
export async function masterKey(given: string | null, folder: string): Promise<Buffer> {
  if (given !== null) return Buffer.from(given, 'base64url')
  const file = path.join(folder, keyFile)
  const known = await readIfThere(file)
  if (known !== null) return Buffer.from(known.trim(), 'base64url')
  const fresh = Buffer.from(secureRandom.bytes(keyBytes))
  await mkdir(folder, { recursive: true })
  // wx: two first starts at once must not each keep their own key.
  await writeFile(file, fresh.toString('base64url'), { mode: 0o600, flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    },
  )
  return Buffer.from((await readFile(file, 'utf8')).trim(), 'base64url')
}

const readIfThere = async (file: string): Promise<string | null> => {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export const secretsOf = (key: Buffer): Secrets => createSecretBox([{ id: 'k1', key }])

/**
 * Stops a start whose key is not the one the database was written with: it could read no connection, and would say so
 * only at the first payment.
 */
export async function checkKey(app: Pick<App, 'db' | 'secrets'>): Promise<void> {
  const sealed = app.secrets.seal(probeText, probeAad)
  await app.db.direct(
    sql('installation_mark')`insert into installation (key_probe) values (${sealed}) on conflict do nothing`,
  )
  const [row] = await app.db.direct<{ probe: Buffer }>(
    sql('installation_probe')`select key_probe as probe from installation`,
  )
  try {
    if (row !== undefined && app.secrets.open(row.probe, probeAad) === probeText) return
  } catch {
    // Not ours: said below in words that help.
  }
  throw new Error(
    'This database was encrypted with another key. Start with the BURSAR_SECRET (or the data folder) it was made with.',
  )
}

export type RunFile = { readonly url: string; readonly key: string; readonly organization: string }

/** Leaves address and key for the command line on this machine, readable by its owner only. */
export async function writeRunFile(app: App, folder: string, url: string, organization: string): Promise<RunFile> {
  const file = path.join(folder, runFile)
  const before = parse(await readIfThere(file))
  const key =
    before?.organization === organization && (await works(app, before.key)) ? before.key : await mint(app, organization)
  const run: RunFile = { url, key, organization }
  await writeFile(`${file}.new`, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
  return run
}

const parse = (text: string | null): RunFile | null => {
  if (text === null) return null
  try {
    return JSON.parse(text) as RunFile
  } catch {
    // Cut off by a crash while an older version wrote it; a new one is made.
    return null
  }
}

const works = async (app: App, key: string): Promise<boolean> => {
  return (await authenticate(app, `Bearer ${key}`)).ok
}

const mint = (app: App, organization: string): Promise<string> =>
  app.db.tx({ organization }, async (tx) => {
    const made = await createKey(tx, app, {
      organization,
      name: 'This machine',
      scopes: ['*', 'operator'],
      expiresAt: null,
    })
    return made.secret
  })
