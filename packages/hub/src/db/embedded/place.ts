import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, chown, cp, mkdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Account = { readonly uid: number; readonly gid: number }
export type Programs = { readonly postgres: string; readonly initdb: string }

/** Where things go when PostgreSQL runs as another user that cannot reach the chosen folder. */
const systemFolder = '/var/lib/bursar'

/** The user PostgreSQL runs as: null = the one we are; as root, the system's `postgres` user, made if missing. */
export async function serverAccount(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null
  const find = async () => {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (f) => Number((await run('id', [f, 'postgres'])).stdout)),
    )
    return { uid: uid ?? Number.NaN, gid: gid ?? Number.NaN }
  }
  try {
    return await find()
  } catch {
    // No such user yet. The next two commands say what is wrong if they cannot make one.
    await run('groupadd', ['--system', '--force', 'postgres'])
    await run('useradd', [
      '--system',
      '--gid',
      'postgres',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      'postgres',
    ])
    return await find()
  }
}

/** Whether `account` can enter every folder from the root down to `target`, by mode bits. Missing folders count as ours. */
export async function canReach(target: string, account: Account): Promise<boolean> {
  for (let at = path.resolve(target); ; at = path.dirname(at)) {
    const found = await stat(at).catch(() => null) // Not made yet: we will make it reachable.
    if (found !== null) {
      const bit = found.uid === account.uid ? 0o100 : found.gid === account.gid ? 0o010 : 0o001
      if ((found.mode & bit) === 0) return false
    }
    if (at === path.dirname(at)) return true
  }
}

/** Where the data lies: inside the folder, or, when the server's user cannot get there, under the system's own place. */
export async function dataFolder(folder: string, account: Account | null): Promise<{ data: string; moved: boolean }> {
  const wished = path.join(folder, 'postgres')
  if (account === null || (await canReach(folder, account))) return { data: wished, moved: false }
  const name = createHash('sha256').update(path.resolve(folder)).digest('hex').slice(0, 16)
  const data = path.join(systemFolder, name, 'postgres')
  return { data, moved: true }
}

/** Makes a folder that only the server's user can read. */
export async function ownFolder(data: string, account: Account | null): Promise<void> {
  await mkdir(path.dirname(data), { recursive: true, mode: 0o755 })
  await mkdir(data, { recursive: true, mode: 0o700 })
  if (account !== null) await chown(data, account.uid, account.gid)
  await chmod(data, 0o700)
}

/** The programs from npm, or a copy of them (60 MB, once per version) when the server's user cannot reach the originals. */
export async function reachablePrograms(found: Programs, version: string, account: Account | null): Promise<Programs> {
  if (account === null || (await canReach(found.postgres, account))) return found
  const native = path.dirname(path.dirname(found.postgres))
  const copy = path.join(systemFolder, `programs-${version}`)
  if (!(await exists(path.join(copy, 'bin', 'postgres')))) {
    const fresh = `${copy}.${process.pid}`
    await mkdir(systemFolder, { recursive: true, mode: 0o755 })
    await cp(native, fresh, { recursive: true, verbatimSymlinks: true })
    await rename(fresh, copy).catch(async (error: unknown) => {
      // Another process was first: its copy is as good as ours.
      await rm(fresh, { recursive: true, force: true })
      if (!(await exists(path.join(copy, 'bin', 'postgres')))) throw error
    })
  }
  const at = (name: string) => path.join(copy, 'bin', path.basename(name))
  return { postgres: at(found.postgres), initdb: at(found.initdb) }
}

const exists = async (file: string): Promise<boolean> =>
  access(file, constants.F_OK).then(
    () => true,
    () => false,
  )
