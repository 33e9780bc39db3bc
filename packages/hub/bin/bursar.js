#!/usr/bin/env node
// Bursar is TypeScript that Node 24 runs as it is. Where an older Node starts this file, it hands over to the Node 24
// that npm installed beside it, and behaves as if it were that process.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const majorMin = 24

// `bursar help | head` closes our output early; that is no fault of anyone.
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const [major] = process.versions.node.split('.')
if (Number(major) >= majorMin) {
  const [{ runProcess }, { defineActions }, { allActions }, { commands, renderers }] = await Promise.all([
    import('../src/surfaces/cli/entry.ts'),
    import('../src/action/define.ts'),
    import('../src/main/actions.ts'),
    import('../src/main/commands.ts'),
  ])
  process.exitCode = await runProcess(process, { registry: defineActions(allActions), commands, renderers })
} else {
  handOver()
}

function handOver() {
  const child = spawn(newerNode(), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both of us; anything else is meant for the child and passed on.
  const pass = (signal) => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass)
  child.on('error', (error) => {
    console.error(`The newer Node could not be started: ${error.message}`)
    process.exitCode = 2
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
    // Reached only when the signal does not end a process: then the shell's own number for it.
    process.exitCode = 128 + (constants.signals[signal] ?? 0)
  })
}

function newerNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json')
    return path.join(path.dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  } catch {
    console.error(`Bursar needs Node ${majorMin} or newer; this is ${process.versions.node}. Run "npm install" once.`)
    process.exit(2)
  }
}
