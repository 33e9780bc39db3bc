import type { HttpOutcome, HttpRequest } from '@bursar/kit/http.ts'
import type { Given } from '#surfaces/cli/args.ts'
import { callHub } from '#surfaces/cli/call.ts'
import { printable } from '#surfaces/cli/show.ts'
import type { Target } from '#surfaces/cli/target.ts'
import { type CliDeps, exitCodes } from '#surfaces/cli.ts'

/** Why a command could not go on, for people and, with `--json`, as the one object. */
export type Trouble = {
  readonly exit: number
  readonly code: string
  readonly message: string
  readonly fix: string
}

export type Tried<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly trouble: Trouble }

export const trouble = (exit: number, code: string, message: string, fix: string): { ok: false; trouble: Trouble } => ({
  ok: false,
  trouble: { exit, code, message, fix },
})

/** Says what went wrong, once and in the form asked for. Returns the exit code. */
export function tell(deps: CliDeps, json: boolean, { exit, code, message, fix }: Trouble): number {
  if (json) deps.stdout(`${JSON.stringify({ error: { code, message, fix } })}\n`)
  else deps.stderr(`${printable(message)}\n${printable(fix)}\n`)
  return exit
}

/** Asks one action of a hub. The caller knows what the action answers; its own schema has checked it there. */
export async function ask<T>(
  deps: CliDeps,
  at: { readonly given: Given; readonly target: Target },
  name: string,
  input: unknown,
): Promise<Tried<T>> {
  const registered = deps.registry.find(name)
  if (registered === undefined) throw new Error(`there is no action ${name}`)
  const answer = await callHub(deps, registered, { ...at.given, idempotencyKey: null, dryRun: false }, at.target, input)
  switch (answer.kind) {
    case 'ok':
      return { ok: true, value: answer.output as T }
    case 'refused': {
      const { code, message, fix } = answer.body.error
      return trouble(exitCodes.refused, String(code), `${name}: ${String(message)}`, typeof fix === 'string' ? fix : '')
    }
    case 'unreachable':
      return trouble(
        exitCodes.unreachable,
        'unreachable',
        `No answer from ${at.target.url}: ${answer.reason}.`,
        'Is the hub still running there?',
      )
  }
}

/** One plain request to somebody else than the hub's actions. */
export async function request(deps: CliDeps, what: HttpRequest): Promise<HttpOutcome> {
  const http = deps.http(new URL(what.url).origin)
  try {
    return await http(what)
  } finally {
    await http.close()
  }
}
