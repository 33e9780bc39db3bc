import { z } from 'zod'
import { schemaOf } from '#action/schema.ts'
import type { MailRoute } from '#mail/port.ts'
import { parseArgs } from '#surfaces/cli/args.ts'
import { printable } from '#surfaces/cli/show.ts'
import { findTarget, type Target } from '#surfaces/cli/target.ts'
import { type CliDeps, type Command, exitCodes } from '#surfaces/cli.ts'
import { ask, request, type Trouble } from './commands-hub.ts'

type Check = {
  readonly what: string
  readonly level: 'ok' | 'warning' | 'problem'
  readonly message: string
  readonly fix: string | null
}

const help = `bursar doctor: is the hub alive, does its database answer, do the connected platforms accept it, can mail be sent

  --json  Print exactly one JSON object.
  --url, --key  Another hub than the one of this folder.
`

export const doctor: Command = {
  summary: 'Look whether the hub, its database and the connected platforms work, and say what to mend.',
  run: async (argv, deps) => {
    const given = parseArgs(argv, schemaOf(z.object({})))
    if (given.help) {
      deps.stdout(help)
      return exitCodes.ok
    }
    const target = await findTarget(given, deps)
    const alive = await health(deps, target)
    const reached = alive.every((c) => c.level !== 'problem')
    const at = { given, target }
    const checks = [...alive, ...(reached ? [...(await platforms(deps, at)), await mail(deps, at)] : [])]
    const healthy = checks.every((c) => c.level !== 'problem')
    if (given.json) deps.stdout(`${JSON.stringify({ url: target.url, healthy, checks })}\n`)
    else deps.stdout(`${target.url}\n${checks.map(line).join('')}`)
    if (healthy) return exitCodes.ok
    return alive[0]?.level === 'problem' ? exitCodes.unreachable : exitCodes.refused
  },
}

const marks = { ok: 'ok      ', warning: 'warning ', problem: 'problem ' } as const
const line = (check: Check): string =>
  `${marks[check.level]} ${printable(check.what)}: ${printable(check.message)}${check.fix === null ? '' : ` ${printable(check.fix)}`}\n`

async function health(deps: CliDeps, target: Target): Promise<readonly Check[]> {
  const alive = await request(deps, { method: 'GET', url: `${target.url}/healthz` })
  if (!alive.ok) {
    const fix = 'Start it with npm start, or name another with --url.'
    return [{ what: 'Hub', level: 'problem', message: `no answer (${alive.failure.message}).`, fix }]
  }
  const ready = await request(deps, { method: 'GET', url: `${target.url}/readyz` })
  const isReady = ready.ok && ready.response.status === 200
  return [
    { what: 'Hub', level: 'ok', message: 'answers.', fix: null },
    isReady
      ? { what: 'Database', level: 'ok', message: 'answers.', fix: null }
      : {
          what: 'Database',
          level: 'problem',
          message: 'does not answer, or the hub is stopping.',
          fix: 'See the log of the hub.',
        },
  ]
}

type Connections = { readonly connections: readonly { readonly id: string; readonly name: string }[] }
type Probe = { readonly findings: readonly Omit<Check, 'what'>[]; readonly usable: boolean | null }

async function platforms(deps: CliDeps, at: Parameters<typeof ask>[1]): Promise<readonly Check[]> {
  const listed = await ask<Connections>(deps, at, 'connections.list', {})
  if (!listed.ok) return [{ what: 'Connections', level: 'problem', ...said(listed.trouble) }]
  const checks: Check[] = []
  for (const { id, name } of listed.value.connections) {
    const probed = await ask<Probe>(deps, at, 'connections.probe', { connectionId: id })
    if (!probed.ok) checks.push({ what: name, level: 'problem', ...said(probed.trouble) })
    else if (probed.value.findings.length === 0)
      checks.push({ what: name, level: 'ok', message: 'accepts the hub.', fix: null })
    else checks.push(...probed.value.findings.map((f) => ({ ...f, what: name })))
  }
  return checks
}

type MailStatus = {
  readonly route: MailRoute
  readonly waiting: number
  readonly refused: number
  readonly lastFailure: string | null
}

async function mail(deps: CliDeps, at: Parameters<typeof ask>[1]): Promise<Check> {
  const asked = await ask<MailStatus>(deps, at, 'mail.status', {})
  return asked.ok
    ? { what: 'Mail', ...mailFinding(asked.value) }
    : { what: 'Mail', level: 'problem', ...said(asked.trouble) }
}

function mailFinding({ route, waiting, refused, lastFailure }: MailStatus): Omit<Check, 'what'> {
  const counts = `${waiting} waiting, ${refused} not sent in seven days.`
  const why = lastFailure === null ? '' : ` ${lastFailure}`
  if (route === 'none')
    return {
      level: 'warning',
      message: `no message can be sent: ${counts}`,
      fix: 'Set BURSAR_SMTP_URL and BURSAR_MAIL_FROM; what waits is sent then.',
    }
  if (route === 'mailbox') return { level: 'ok', message: 'stays in the mailbox of the demo.', fix: null }
  return { level: waiting + refused > 0 ? 'warning' : 'ok', message: `is sent. ${counts}${why}`, fix: null }
}

const said = ({ message, fix }: Trouble): Pick<Check, 'message' | 'fix'> => ({ message, fix })
