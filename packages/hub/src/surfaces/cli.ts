import { systemClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type HttpClient } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type { Registered } from '#action/define.ts'
import { parseArgs } from './cli/args.ts'
import { type Answer, callHub } from './cli/call.ts'
import { completion } from './cli/completion.ts'
import { helpAction, helpAll } from './cli/help.ts'
import { buildInput } from './cli/input.ts'
import { inline, printable, show } from './cli/show.ts'
import { findTarget, type Target } from './cli/target.ts'
import { type CliDeps, type Command, exitCodes, UsageError } from './cli/types.ts'
import { closest } from './cli/words.ts'

export { type CliDeps, type Command, exitCodes } from './cli/types.ts'

/** Runs one command line and returns its exit code. Answers go to stdout; with `--json`, errors too. */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  const json = argv.includes('--json')
  try {
    return await dispatch(argv, deps)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const fix = error.hint ?? 'See: bursar --help'
    if (json) printJson(deps, { error: { code: 'usage', message: error.message, fix } })
    else deps.stderr(`${printable(error.message)}\n${printable(fix)}\n`)
    return exitCodes.usage
  }
}

async function dispatch(argv: readonly string[], deps: CliDeps): Promise<number> {
  const [first, ...rest] = argv
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    deps.stdout(helpAll(deps))
    return exitCodes.ok
  }
  if (first === '--version' || first === 'version') {
    deps.stdout(`${deps.version}\n`)
    return exitCodes.ok
  }
  if (first === 'completion') {
    deps.stdout(completion(rest[0], deps.registry, deps.commands ?? {}))
    return exitCodes.ok
  }
  const command = findCommand(argv, deps.commands ?? {})
  if (command !== null) return command.it.run(argv.slice(command.words), deps)
  const registered = deps.registry.find(first)
  if (registered === undefined) throw unknown(argv, deps)
  return act(registered, rest, deps)
}

function findCommand(argv: readonly string[], commands: Readonly<Record<string, Command>>) {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(' ')
    const it = argv.length >= words && Object.hasOwn(commands, name) ? commands[name] : undefined
    if (it !== undefined) return { it, words }
  }
  return null
}

function unknown(argv: readonly string[], deps: CliDeps): UsageError {
  const [first = '', second = ''] = argv
  const names = deps.registry.all.map((it) => it.action.name)
  const known = [...names, ...Object.keys(deps.commands ?? {}), 'completion', 'help']
  const spaced = known.find((name) => name === `${first}.${second}`)
  const near = spaced === undefined ? closest(first, known) : [spaced]
  const slice = names.filter((name) => name.startsWith(`${first}.`))
  const all = slice.length > 0 && spaced === undefined ? slice : near
  return new UsageError(
    `There is no action or command "${first}".`,
    all.length > 0 ? `Did you mean: ${all.join(', ')}?` : 'All of them: bursar help',
  )
}

async function act(it: Registered, argv: readonly string[], deps: CliDeps): Promise<number> {
  const given = parseArgs(argv, it.inputSchema)
  if (given.help) {
    deps.stdout(helpAction(it))
    return exitCodes.ok
  }
  const input = await buildInput(given, it.inputSchema, deps)
  const target = await findTarget(given, deps)
  const answer = await callHub(deps, it, given, target, input)
  return given.json ? reportJson(deps, answer, target) : report(deps, it.action.name, answer, target)
}

const printJson = (deps: CliDeps, value: unknown) => deps.stdout(`${JSON.stringify(value)}\n`)

const startHint = 'Is the hub running there? Start it with npm start, or name another with --url.'

function reportJson(deps: CliDeps, answer: Answer, target: Target): number {
  switch (answer.kind) {
    case 'ok':
      printJson(deps, answer.output)
      return exitCodes.ok
    case 'refused':
      printJson(deps, answer.body)
      return exitCodes.refused
    case 'unreachable': {
      const message = `No answer from ${target.url}: ${answer.reason}.`
      const again = answer.again === null ? {} : { idempotencyKey: answer.again }
      printJson(deps, { error: { code: 'unreachable', message, fix: startHint, ...again } })
      return exitCodes.unreachable
    }
  }
}

function report(deps: CliDeps, action: string, answer: Answer, target: Target): number {
  switch (answer.kind) {
    case 'ok':
      if (answer.dryRun) deps.stderr('Dry run: this would happen; nothing was changed.\n')
      if (answer.replayed) deps.stderr('Done before with this idempotency key; this is the answer from then.\n')
      deps.stdout(deps.renderers?.[action]?.(answer.output) ?? show(answer.output, deps.columns))
      return exitCodes.ok
    case 'refused':
      deps.stderr(refusalText(answer.body.error, target))
      return exitCodes.refused
    case 'unreachable':
      deps.stderr(`No answer from ${target.url}: ${printable(answer.reason)}.\n${startHint}\n`)
      if (answer.again !== null) {
        deps.stderr(`It may have arrived all the same. Repeat it safely with: --idempotency-key ${answer.again}\n`)
      }
      return exitCodes.unreachable
  }
}

/** What went wrong, where, what to do, and the number to ask for. */
function refusalText(error: Readonly<Record<string, unknown>>, target: Target): string {
  const text = (name: string) => (typeof error[name] === 'string' ? printable(error[name]) : '')
  const issues = Array.isArray(error.issues) ? (error.issues as { path?: unknown; message?: unknown }[]) : []
  const width = Math.max(0, ...issues.map((issue) => String(issue.path ?? '').length))
  const listed = issues.map((issue) => `  ${String(issue.path ?? '').padEnd(width)}  ${inline(issue.message)}`)
  const noKey = error.code === 'unauthenticated' && target.key === null
  const fix = noKey ? 'Give a key with --key or BURSAR_KEY.' : text('fix')
  const trace = text('traceId') === '' ? '' : `, trace ${text('traceId')}`
  return `${[text('message'), ...(issues.length > 1 ? listed : []), fix, `(${text('code')}${trace})`].join('\n')}\n`
}

/** The real client: whoever types an address may call it, loopback included. */
export const cliHttp = (origin: string): HttpClient =>
  createHttp({
    clock: systemClock,
    random: secureRandom,
    guard: createGuard({ allowLoopback: true, trustedOrigins: [origin] }),
    userAgent: 'bursar-cli',
  })
