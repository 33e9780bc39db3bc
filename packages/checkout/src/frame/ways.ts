import './core.ts'
import { fill, learn, words } from '#language.ts'
import { englishWays } from '#texts/ways.ts'
import { ask, type Verified } from './api.ts'
import { isEmbedded } from './link.ts'
import { popUp } from './popup.ts'

learn(englishWays)

/** As the hub lists them, and `own`: the page of the hub's built-in provider, for passwords and passkeys. */
export type Way = { readonly kind: string; readonly id?: string; readonly name?: string }

export const textOf = ({ kind, name = '' }: Way): string =>
  kind === 'own' ? words.t_ownWays : fill(words.t_issuer, { name })

const query = (values: Readonly<Record<string, string>>): string => `?${new URLSearchParams(values)}`

/** Signs in in a window; null when the person closed it. */
export async function enterBy(
  { kind, id = '' }: Way,
  organization: string,
  email: string,
): Promise<Verified | { readonly problem: string } | null> {
  if (kind === 'own' && !isEmbedded()) {
    // A page of the hub's own has an address bar already.
    location.assign(`/sign-in${query({ organization, return: location.pathname + location.search })}`)
    return null
  }
  const result = await popUp(
    kind === 'own'
      ? `/sign-in${query({ popup: '1', organization, login_hint: email })}`
      : `/sign-in/external/${encodeURIComponent(id)}${query({ login_hint: email })}`,
  )
  if (result.kind === 'closed') return null
  if (result.kind !== 'code')
    return { problem: result.kind === 'blocked' ? words.t_popupBlocked : words.t_signInFailed }
  const body = { code: result.code, transport: isEmbedded() ? 'token' : 'cookie' }
  const answer = await ask<Verified>('/api/sign-in/exchange', body, { organization })
  return answer.ok ? answer.value : { problem: words.t_signInFailed }
}
