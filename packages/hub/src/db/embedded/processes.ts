import { readFileSync } from 'node:fs'

/** True while a process with this id exists, whoever owns it. */
export function isAlive(pid: number): boolean {
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
export function birthOf(pid: number): string {
  const stat = readProc(pid, 'stat')
  // The second field is the name in parentheses and may hold spaces; the start time is the 20th after it.
  return stat === null ? '' : (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '')
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
