import { done, failed, type Outcome } from '../../../failure.ts'
import type { Account, CourseRef, LaunchAction, LaunchRequest, LmsConnector } from '../../port.ts'
import { learnWorldsFailure } from '../api/errors.ts'
import { toAccount, toProductType } from '../map.ts'
import type { Context } from './context.ts'

/** Where on the school's own host a course opens; null for a kind the school does not have. */
export function courseAddress(context: Pick<Context, 'settings'>, course: CourseRef): URL | null {
  const type = toProductType(course.kind)
  if (type === null) return null
  return ownAddress(context, context.settings.paths[type].replaceAll('{id}', encodeURIComponent(course.externalId)))
}

/** Null for a path that leaves the school: one of two slashes leads to another host. */
function ownAddress(context: Pick<Context, 'settings'>, path: string): URL | null {
  const address = path.startsWith('/') ? URL.parse(path, context.settings.origin) : null
  return address !== null && address.origin === context.settings.origin ? address : null
}

function targetOf(context: Context, { course, path }: LaunchRequest): Outcome<URL> {
  const address =
    path !== undefined
      ? ownAddress(context, path)
      : course === null
        ? ownAddress(context, '/')
        : courseAddress(context, course)
  if (address !== null) return done(address)
  return path !== undefined || course === null
    ? failed(learnWorldsFailure('invalid', 'path_foreign', 'The address to land on does not lie in the school.'))
    : failed(learnWorldsFailure('invalid', 'kind_unknown', `LearnWorlds cannot open a ${course.kind}.`))
}

async function readAccount(context: Context, id: string): Promise<Outcome<Account>> {
  const known = context.accounts.get(id)
  if (known !== undefined) return done(known)
  const user = await context.client.users.get(id, { includeSuspended: true })
  if (!user.ok) return user
  const account = toAccount(user.value)
  context.accounts.set(id, account)
  return done(account)
}

const refused = (code: string, message: string) => failed(learnWorldsFailure('needs_person', code, message))

function mayOpen(account: Account): Outcome<Account> {
  if (account.privileged)
    return refused('account_privileged', 'This account has more rights than a learner; the hub does not log it in.')
  if (account.suspended) return refused('account_suspended', 'The school has suspended this account.')
  return done(account)
}

/** The school's own sign-in, which sends the browser to the hub and back. Holds no secret and costs no call. */
function signIn(context: Context, target: URL): Outcome<LaunchAction> {
  const start = context.settings.paths.signIn.replaceAll('{target}', encodeURIComponent(target.href))
  const address = ownAddress(context, start)
  return address === null
    ? failed(learnWorldsFailure('invalid', 'path_foreign', 'The sign-in address does not lie in the school.'))
    : done({ kind: 'link', url: address.href, loginRequired: true })
}

export function launchPort(context: Context): NonNullable<LmsConnector['launch']> {
  const { client, settings } = context
  const allowed = new Set([new URL(settings.origin).host, ...settings.launchHosts])
  return async (request): Promise<Outcome<LaunchAction>> => {
    const target = targetOf(context, request)
    if (!target.ok) return target
    if (settings.launchBy === 'oidc' && request.signsIn === true) return signIn(context, target.value)
    const id = request.account
    const account = await readAccount(context, id)
    if (!account.ok) return account
    const open = mayOpen(account.value)
    if (!open.ok) return open
    const { pathname, search, href } = target.value
    const redirectUrl = settings.flags.relativeRedirect ? `${pathname}${search}` : href
    const login = await client.sso.login({ user_id: id, redirectUrl })
    if (!login.ok) return login
    if (login.value.user_id !== id)
      return refused('launch_other_user', 'The school answered with a login for another account.')
    const url = new URL(login.value.url)
    if (!allowed.has(url.host) || (url.protocol !== 'https:' && url.origin !== settings.origin))
      return refused('launch_other_host', 'The login link leads to a host that is neither the school nor configured.')
    return done({ kind: 'redirect', url: url.href })
  }
}
