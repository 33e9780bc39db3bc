import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Registry } from '#action/define.ts'
import { runAction } from '#action/run.ts'
import type { Provider } from '#identity/provider/provider.ts'
import { builtInIssuer, type SignedIn } from '#identity/signed-in.ts'
import { callerOfUser } from '#identity/user-caller.ts'
import { changeEmailOfIdentity } from '#people/email.ts'
import type { SignInDoor } from '#surfaces/sign-in-routes.ts'
import { field, goOn, ownForm, type PageRequest, pageScope, refuse, sendPage } from '../answer.ts'
import { askProvider, type ProviderAnswer } from '../ask-provider.ts'
import { paragraph } from '../html.ts'
import { buttonLink, card } from '../parts.ts'
import { signInPath } from '../return-path.ts'
import { texts } from '../texts.ts'
import { type PageDeps, visitorOf } from '../visitor.ts'
import { ownPlaces, ownSeats } from './read.ts'
import { accountPage, backupCodesPage, confirmAgainPage, emailCodePage, type Passkey, setUpPage } from './views.ts'

const t = texts.account

export type AccountPageDeps = PageDeps & {
  readonly registry: Registry
  readonly provider: Pick<
    Provider,
    'sessions' | 'revokeAll' | 'setPassword' | 'requestEmailChange' | 'confirmEmailChange' | 'exportUser'
  >
  readonly door: Pick<SignInDoor, 'signOut'>
}

type At = {
  readonly fastify: FastifyInstance
  readonly deps: AccountPageDeps
  readonly signedIn: SignedIn
  readonly request: PageRequest
  readonly reply: FastifyReply
}
type Step = (it: At) => Promise<FastifyReply>

/** One's own account: courses, sessions, and how one signs in. What changes the last needs a proof made just now. */
export function accountRoutes(fastify: FastifyInstance, deps: AccountPageDeps): void {
  const page = pageScope(fastify, 'account')
  const signedIn = (handle: Step) => async (request: PageRequest, reply: FastifyReply) => {
    const visitor = await visitorOf(deps, request)
    if (visitor === null) return goOn(reply, signInPath('/account'))
    const it: At = { fastify, deps, signedIn: visitor, request, reply }
    try {
      return await handle(it)
    } catch (error) {
      return tell(it, error)
    }
  }
  const post = (path: string, handle: Step) =>
    fastify.post(`/account${path}`, page(ownForm(deps.app.publicUrl, signedIn(handle))))

  fastify.get('/account', page(signedIn((it) => show(it))))
  post('/sign-out', async (it) => {
    for (const cookie of await deps.door.signOut(it.request)) void it.reply.header('set-cookie', cookie)
    return goOn(it.reply, '/sign-in')
  })
  post('/end-session', builtIn(endSession))
  post(
    '/end-others',
    builtIn(async (it) => {
      await deps.provider.revokeAll(it.signedIn.subject, { except: it.signedIn.sessionId })
      return show(it, { done: t.did.others })
    }),
  )
  post(
    '/password',
    builtIn(async (it) => {
      await deps.provider.setPassword(it.signedIn, field(it.request.body, 'password') ?? '')
      return show(it, { done: t.did.password })
    }),
  )
  post('/email', builtIn(askForEmail))
  post('/email/confirm', builtIn(confirmEmail))
  post('/second-factor/enable', builtIn(enableFactor))
  post('/second-factor/confirm', builtIn(confirmFactor))
  post('/second-factor/prove', builtIn(proveFactor))
  post('/second-factor/backup-codes', builtIn(newBackupCodes))
  post('/second-factor/disable', builtIn(disableFactor))
  post(
    '/passkeys/added',
    builtIn((it) => show(it, { done: t.did.passkey })),
  )
  post('/passkeys/remove', builtIn(removePasskey))
  post('/unlink', (it) =>
    act(it, 'me.unlink_identity', { issuer: text(it, 'issuer'), subject: text(it, 'subject') }, t.did.unlinked),
  )
  post('/export', (it) => act(it, 'me.request_export', {}, t.did.export))
  post('/erase', (it) => act(it, 'me.request_erase', { confirm: text(it, 'confirm') }, t.did.erase))
}

const text = (it: At, name: string): string => field(it.request.body, name) ?? ''

/** Only for accounts of the hub itself; an organization's own provider keeps these things for its people. */
const builtIn =
  (handle: Step): Step =>
  (it) =>
    it.signedIn.issuer === builtInIssuer(it.deps.app) ? handle(it) : show(it, { problem: t.problems.elsewhere })

async function show(it: At, words: { readonly problem?: string; readonly done?: string } = {}): Promise<FastifyReply> {
  const { deps, signedIn, reply } = it
  const isBuiltIn = signedIn.issuer === builtInIssuer(deps.app)
  const user = isBuiltIn ? await deps.provider.exportUser(signedIn.subject) : null
  const shown = {
    signedIn,
    seats: await ownSeats(deps.app, signedIn),
    places: await ownPlaces(deps.app, signedIn),
    user,
    passkeys: user === null || user.passkeys.length === 0 ? [] : await passkeysOf(it),
    problem: words.problem ?? null,
    done: words.done ?? null,
  }
  return sendPage(reply, { ...accountPage(shown), status: words.problem === undefined ? 200 : 400 })
}

/** What a refusal says, and where the missing proof can be made. Everything else is a fault. */
async function tell(it: At, error: unknown): Promise<FastifyReply> {
  if (!(error instanceof CodedError)) throw error
  switch (error.code) {
    case 'email_unproven':
    case 'second_factor_required':
      return proofNeeded(it)
    case 'rate_limited':
      return show(it, { problem: texts.signIn.problems.tooOften })
    case 'input_invalid':
    case 'conflict':
    case 'not_found':
    case 'already_exists':
      return show(it, { problem: error.message })
    case 'code_wrong':
      return show(it, { problem: texts.signIn.problems.code })
    default:
      throw error
  }
}

function proofNeeded({ request, reply, signedIn }: At): FastifyReply {
  const back = signInPath('/account', signedIn.email)
  return refuse(request, reply, 'email_unproven', {
    title: t.proof.title,
    body: card(paragraph(t.proof.text), buttonLink(back, t.proof.button), buttonLink('/account', t.back, true)),
  })
}

async function endSession(it: At): Promise<FastifyReply> {
  await it.deps.provider.sessions.revoke(it.signedIn.subject, text(it, 'session'))
  return show(it, { done: t.did.session })
}

async function askForEmail(it: At): Promise<FastifyReply> {
  const email = text(it, 'email').trim()
  await it.deps.provider.requestEmailChange(it.signedIn, email, { organization: null })
  return sendPage(it.reply, emailCodePage(email, null))
}

async function confirmEmail(it: At): Promise<FastifyReply> {
  const { deps, signedIn } = it
  const code = text(it, 'code').replaceAll(/\s/g, '')
  try {
    const { after, startedAt } = await deps.provider.confirmEmailChange(signedIn, code)
    const { issuer, subject } = signedIn
    await changeEmailOfIdentity(deps.app, { issuer, subject, newEmail: after, startedAt })
    return goOn(it.reply, '/account')
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'code_wrong') throw error
    return sendPage(it.reply, emailCodePage(text(it, 'email'), texts.signIn.problems.code))
  }
}

const ask = (it: At, path: string, body?: unknown): Promise<ProviderAnswer> =>
  askProvider(it.fastify, it.request, {
    method: body === undefined ? 'GET' : 'POST',
    path,
    ...(body === undefined ? {} : { body }),
    publicUrl: it.deps.app.publicUrl,
  })

const keep = (it: At, answer: ProviderAnswer): void => {
  for (const cookie of answer.cookies) void it.reply.header('set-cookie', cookie)
}

const texted = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((v) => typeof v === 'string') : []

/** The provider says 403 to whoever has not proven who they are just now. */
const refusedBy = (it: At, answer: ProviderAnswer): Promise<FastifyReply> | FastifyReply =>
  answer.status === 403
    ? proofNeeded(it)
    : show(it, { problem: answer.status === 429 ? texts.signIn.problems.tooOften : texts.signIn.problems.factor })

async function enableFactor(it: At): Promise<FastifyReply> {
  const answer = await ask(it, '/two-factor/enable', {})
  const uri = answer.json.totpURI
  if (answer.status !== 200 || typeof uri !== 'string') return refusedBy(it, answer)
  keep(it, answer)
  return sendPage(it.reply, setUpPage(uri, texted(answer.json.backupCodes), null))
}

const codeIn = (it: At): string => text(it, 'code').replaceAll(/\s/g, '')

async function confirmFactor(it: At): Promise<FastifyReply> {
  const answer = await ask(it, '/two-factor/verify-totp', { code: codeIn(it) })
  if (answer.status !== 200) return sendPage(it.reply, confirmAgainPage(texts.signIn.problems.factor))
  keep(it, answer)
  return show(it, { done: t.did.factor })
}

const sixDigits = /^\d{6}$/

async function proveFactor(it: At): Promise<FastifyReply> {
  const code = codeIn(it)
  const path = sixDigits.test(code) ? '/two-factor/verify-totp' : '/two-factor/verify-backup-code'
  const answer = await ask(it, path, { code })
  if (answer.status !== 200) return refusedBy(it, answer)
  keep(it, answer)
  return show(it, { done: t.did.proven })
}

async function newBackupCodes(it: At): Promise<FastifyReply> {
  const answer = await ask(it, '/two-factor/generate-backup-codes', {})
  if (answer.status !== 200) return refusedBy(it, answer)
  return sendPage(it.reply, backupCodesPage(texted(answer.json.backupCodes)))
}

async function disableFactor(it: At): Promise<FastifyReply> {
  const answer = await ask(it, '/two-factor/disable', {})
  if (answer.status !== 200) return refusedBy(it, answer)
  keep(it, answer)
  return show(it, { done: t.did.factorEnded })
}

async function passkeysOf(it: At): Promise<readonly Passkey[]> {
  const answer = await ask(it, '/passkey/list-user-passkeys')
  return answer.status === 200 && Array.isArray(answer.json) ? (answer.json as readonly Passkey[]) : []
}

async function removePasskey(it: At): Promise<FastifyReply> {
  const answer = await ask(it, '/passkey/delete-passkey', { id: text(it, 'passkey') })
  return answer.status === 200 ? show(it, { done: t.did.passkeyRemoved }) : refusedBy(it, answer)
}

/** Asks an action as this person in the organization the form names, so that it is checked and written down as anywhere. */
async function act(it: At, name: string, input: Record<string, unknown>, done: string): Promise<FastifyReply> {
  const { deps, signedIn, request } = it
  const caller = await callerOfUser(deps.app, signedIn, text(it, 'organization'))
  const result = await runAction(deps.app, deps.registry, { name, input, caller, traceId: request.id })
  if (result.ok) return show(it, { done })
  throw new CodedError(result.code, result.body.error.message)
}
