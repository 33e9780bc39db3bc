import { readFile, realpath, rm } from 'node:fs/promises'
import path from 'node:path'
import { isAlive, programOf } from './processes.ts'

export type Postmaster = { readonly pid: number; readonly port: number; readonly stopping: boolean }

/**
 * The living server of a data folder, or null. A file left by a dead server is PostgreSQL's to replace; one whose
 * process id now belongs to another program is removed here, because PostgreSQL would refuse to start.
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
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return null
  const program = programOf(pid)
  const folder = await realpath(data)
  if ((program !== null && program !== 'postgres') || lines[1] !== folder) {
    await rm(file)
    return null
  }
  return { pid, port: Number(lines[3]), stopping: lines[7] === 'stopping' }
}
