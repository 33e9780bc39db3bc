import { readFile, realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { exists, isAlive, programOf } from './processes.ts'

export type Postmaster = { readonly pid: number; readonly port: number; readonly stopping: boolean }

/** No process has this id: Linux stops at 2^22, others earlier. */
const nobody = 2 ** 30

/**
 * The living server of a data folder, or null. PostgreSQL replaces the file of a dead server by itself, unless its
 * process id is taken: by another program, or by the dead server that nobody has cleared away. Then the id is struck
 * out here. The rest of the file stays, because by it PostgreSQL sees whether old backends still use the data.
 */
export async function livingPostmaster(data: string): Promise<Postmaster | null> {
  const file = path.join(data, 'postmaster.pid')
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as { code?: string }).code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  // Line by line: pid, data folder, start time, port, socket folder, address, shared memory, state.
  const lines = text.split('\n').map((line) => line.trim())
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0 || !exists(pid)) return null
  const program = programOf(pid)
  const ours = (program === null || program === 'postgres') && lines[1] === (await realpath(data))
  if (ours && isAlive(pid)) return { pid, port: Number(lines[3]), stopping: lines[7] === 'stopping' }
  await writeFile(file, [nobody, ...text.split('\n').slice(1)].join('\n'))
  return null
}
