import { readFileSync } from 'node:fs'

/**
 * True while a process with this id runs, whoever owns it. One that ended but was not yet noticed by its parent does
 * not run; in a container whose first process never looks after orphans it stays so for ever.
 */
export const isAlive = (pid: number): boolean => exists(pid) && !isZombie(pid)

/** Whether the id is taken, be it by a process that has ended. PostgreSQL asks no more than this. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}

/**
 * Tells two processes with the same id apart: the start time in clock ticks since boot, or '' where the system does
 * not say. Linux reuses process ids, in containers almost at once.
 */
export const birthOf = (pid: number): string => statOf(pid)[19] ?? ''

const isZombie = (pid: number): boolean => statOf(pid)[0] === 'Z'

/** What the system says about a process after its name, which stands in parentheses and may hold spaces. */
function statOf(pid: number): readonly string[] {
  const stat = readProc(pid, 'stat')
  return stat === null ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** The name of the program a process runs, or null where the system does not say. */
export const programOf = (pid: number): string | null => readProc(pid, 'comm')?.trim() ?? null

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    // No such process, or no /proc on this system: both mean "cannot tell", which is what null says.
    return null
  }
}
