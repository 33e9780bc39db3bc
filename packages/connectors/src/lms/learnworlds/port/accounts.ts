import { done, failed, type Outcome } from '../../../failure.ts'
import type { Account, Learner, LmsConnector } from '../../port.ts'
import { learnWorldsFailure } from '../api/errors.ts'
import type { NewUser } from '../api/users.ts'
import { mayExist, toAccount } from '../map.ts'
import type { Context } from './context.ts'

const normalEmail = (email: string) => email.trim().toLowerCase()

const splitName = (name: string) => {
  const [first = '', ...rest] = name.trim().split(/\s+/)
  return { first_name: first, last_name: rest.join(' ') }
}

/** In LearnWorlds the username is the name that is shown; the part before the @ stands in for a missing one. */
function newUser(learner: Learner, sendNames: boolean): NewUser {
  const email = normalEmail(learner.email)
  const shown = learner.username ?? learner.name?.trim()
  const username = shown === undefined || shown === '' ? (email.split('@')[0] ?? email) : shown
  const names = sendNames && learner.name !== null ? splitName(learner.name) : {}
  return { email, username, ...names, send_registration_email: false }
}

export function accountsPort(context: Context): NonNullable<LmsConnector['accounts']> {
  const { client, settings, io } = context

  const remember = (account: Account) => {
    context.accounts.set(account.externalId, account)
    return account
  }

  const find = async (email: string): Promise<Outcome<Account | null>> => {
    const wanted = normalEmail(email)
    const found = await client.users.get(wanted, { includeSuspended: true })
    if (!found.ok) return found.failure.code === 'learnworlds.not_found' ? done(null) : found
    if (normalEmail(found.value.email) !== wanted)
      return failed(
        learnWorldsFailure('conflict', 'other_account', 'The school answered with an account of another address.'),
      )
    return done(remember(toAccount(found.value)))
  }

  /** Creates first, because buyers are mostly new; any refusal of the request is settled by a look-up. */
  const ensure = async (learner: Learner): Promise<Outcome<Account & { readonly created: boolean }>> => {
    const created = await client.users.create(newUser(learner, settings.flags.sendNames))
    if (created.ok) {
      context.createdAt.set(created.value.id, io.clock.now())
      return done({ ...remember(toAccount(created.value)), created: true })
    }
    if (!mayExist(created.failure)) return created
    const found = await find(learner.email)
    if (!found.ok) return found
    if (found.value !== null) return done({ ...found.value, created: false })
    if (created.failure.code === 'learnworlds.user_exists')
      return failed(
        learnWorldsFailure('not_yet_visible', 'account_not_visible', 'The account exists but cannot be read yet.'),
      )
    return created
  }

  const update = async (
    account: string,
    change: { readonly email?: string; readonly name?: string },
  ): Promise<Outcome<Account>> => {
    const updated = await client.users.update(account, {
      ...(change.email === undefined ? {} : { email: normalEmail(change.email) }),
      ...(change.name === undefined ? {} : { username: change.name }),
    })
    return updated.ok ? done(remember(toAccount(updated.value))) : updated
  }

  return { find, ensure, update }
}
