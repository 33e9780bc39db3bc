import { returnPath } from '../return-path.ts'

/** Where somebody is going who signs in: to an application that asked through OpenID Connect, or to a page of ours. */
export type SignInWay = {
  /** The query of the page as it came, to be carried through its forms. */
  readonly query: string
  /** An application waits: the library's own signed query. */
  readonly application: boolean
  /** Where the application is; its answer may be reached by a form of ours. */
  readonly applicationOrigin: string | null
  readonly back: string
  readonly hint: string
  readonly organization: string | null
  /** A frame waits for this window; it gets the session by a code. */
  readonly popup: boolean
}

const hintMax = 254
const queryMax = 4_000

export function wayOf(url: string): SignInWay {
  const at = url.indexOf('?')
  const query = at < 0 ? '' : url.slice(at + 1, at + 1 + queryMax)
  const of = new URLSearchParams(query)
  const application = of.has('client_id') && of.has('sig')
  return {
    query,
    application,
    applicationOrigin: application ? (URL.parse(of.get('redirect_uri') ?? '')?.origin ?? null) : null,
    back: returnPath(of.get('return'), '/account'),
    hint: (of.get('login_hint') ?? '').slice(0, hintMax),
    organization: of.get('organization'),
    popup: !application && of.get('popup') === '1',
  }
}

export const stepPath = (step: string, way: SignInWay): string =>
  `/sign-in/${step}${way.query === '' ? '' : `?${way.query}`}`
