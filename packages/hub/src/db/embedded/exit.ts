import { signal } from './server.ts'

/** Says which server to turn off, or null when others still use it. Must not wait for anything. */
type Leave = () => number | null

const leaves = new Set<Leave>()
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

function leaveAll(): void {
  for (const leave of leaves) {
    const pid = leave()
    if (pid !== null) signal(pid, 'SIGINT')
  }
  leaves.clear()
}

// A program with its own way to end handles the signal itself and calls stop(), or exits and meets the exit listener.
const onSignal = (name: NodeJS.Signals): void => {
  if (process.listenerCount(name) > 1) return
  process.exit(endings[name as keyof typeof endings])
}

/** Calls `leave` when this process ends in any way that lets it, and returns the way to call that off. */
export function onExit(leave: Leave): () => void {
  if (leaves.size === 0) {
    process.on('exit', leaveAll)
    for (const name of Object.keys(endings)) process.on(name, onSignal)
  }
  leaves.add(leave)
  return () => {
    leaves.delete(leave)
    if (leaves.size > 0) return
    process.off('exit', leaveAll)
    for (const name of Object.keys(endings)) process.off(name, onSignal)
  }
}
