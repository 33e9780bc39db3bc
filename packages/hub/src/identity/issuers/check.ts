import type { App } from '#action/context.ts'
import { otpGrant, postToken } from './auth0.ts'
import { callbackPath } from './code-flow.ts'
import type { Metadata, Problem } from './metadata.ts'
import type { Deps } from './relying-party.ts'
import type { Issuer } from './store.ts'

export type Finding = {
  readonly code: string
  readonly level: 'ok' | 'warning' | 'problem'
  readonly message: string
  /** What to do, in the provider's own words where we know them. */
  readonly fix: string | null
}

const ok = (code: string, message: string): Finding => ({ code, level: 'ok', message, fix: null })
const warning = (code: string, message: string, fix: string): Finding => ({ code, level: 'warning', message, fix })
const problem = (code: string, message: string, fix: string): Finding => ({ code, level: 'problem', message, fix })

const isAuth0 = (issuer: Issuer): boolean => issuer.codeChallenge || /\.auth0\.com$/.test(new URL(issuer.url).hostname)

/** The addresses of this hub that the provider must know. */
export const addressesOf = (app: Pick<App, 'publicUrl'>, issuerId: string) => ({
  callbackUrl: app.publicUrl + callbackPath,
  logoutUrl: `${app.publicUrl}/api/sign-in/logout/${issuerId}`,
})

/** Asks the issuer whether the settings work. Sends no mail and signs nobody in. */
export async function checkIssuer(deps: Deps, issuer: Issuer): Promise<readonly Finding[]> {
  const published = await deps.keys.refresh(issuer.url)
  if (!published.ok) return [unreadable(issuer, published.problem)]
  const { metadata, keys } = published.value
  const findings = [ok('published', `The issuer describes itself and publishes ${keys.keys.length} keys.`)]
  const usable = keys.keys.filter((key) => key.alg === undefined || issuer.algorithms.some((alg) => alg === key.alg))
  if (usable.length === 0)
    findings.push(
      problem(
        'algorithms',
        `None of its keys is for ${issuer.algorithms.join(', ')}.`,
        isAuth0(issuer)
          ? 'In Auth0, set the application’s and the API’s signing algorithm to RS256.'
          : 'Allow the algorithm the issuer signs with, or change it there.',
      ),
    )
  if (issuer.signIn) findings.push(...signInFindings(issuer, metadata))
  if (issuer.clientId !== null && issuer.hasSecret) findings.push(await secretFinding(deps, issuer, metadata))
  if (issuer.accessTokens) findings.push(...accessTokenFindings(issuer))
  if (issuer.codeChallenge) findings.push(await codeFinding(deps, issuer, metadata))
  return [...findings, logoutFinding(deps.app, issuer, metadata)]
}

const unreadable = (issuer: Issuer, { step, message, blocked }: Problem): Finding =>
  blocked
    ? problem(
        'address',
        message,
        'Use a public https address. An operator can name an internal one in the settings of the hub.',
      )
    : problem(
        step,
        message,
        step === 'discovery'
          ? `Copy the issuer exactly as the provider writes it. Auth0 ends it with a slash, such as https://tenant.eu.auth0.com/; this one is ${issuer.url}.`
          : 'Ask the provider why its key set cannot be read. Keys that are known already go on verifying for a week.',
      )

function signInFindings(issuer: Issuer, metadata: Metadata): Finding[] {
  if (metadata.authorization_endpoint === undefined || metadata.token_endpoint === undefined)
    return [
      problem(
        'endpoints',
        'It names no authorization or token endpoint.',
        'Use the issuer of an OpenID provider that signs people in.',
      ),
    ]
  const pkce = metadata.code_challenge_methods_supported
  if (pkce !== undefined && !pkce.includes('S256'))
    return [problem('pkce', 'It does not offer PKCE with S256.', 'Switch PKCE on at the provider.')]
  return issuer.trustsEmail
    ? [ok('sign_in', 'It can sign people in, and its word about addresses counts.')]
    : [ok('sign_in', 'It can sign people in. Its word about addresses does not count: claims ask for a code.')]
}

/** With a code nobody ever got, a right secret is told "invalid_grant" and a wrong one "invalid_client". */
async function secretFinding(deps: Deps, issuer: Issuer, metadata: Metadata): Promise<Finding> {
  const answer = await postToken(deps, issuer, metadata, {
    grant_type: 'authorization_code',
    code: 'bursar-check',
    redirect_uri: deps.app.publicUrl + callbackPath,
    code_verifier: 'bursar-check-bursar-check-bursar-check-bursar-check',
  })
  if (answer.ok || answer.reason === 'wrong') return ok('client', 'The client id and its secret are accepted.')
  const fixes = isAuth0(issuer)
    ? 'In Auth0, copy Client ID and Client Secret of an application of type Regular Web Application, with the authentication method Client Secret (Post).'
    : 'Copy client id and secret again; the client must be a confidential one.'
  if (answer.reason === 'misconfigured')
    return problem('client', `The provider refuses the client: ${answer.said}.`, fixes)
  return warning('client', `The client could not be checked: ${answer.said}.`, 'Try again in a minute.')
}

const accessTokenFindings = (issuer: Issuer): Finding[] => [
  ok('audience', `Access tokens count when they are for ${issuer.audiences.join(' or ')}.`),
  ...(isAuth0(issuer) && issuer.tokenType === 'at+jwt'
    ? [
        warning(
          'token_type',
          'Only tokens that call themselves at+jwt count.',
          'In Auth0, set the API’s access token profile to RFC 9068, or set tokenType to any here.',
        ),
      ]
    : []),
]

/** Asks with a handle nobody ever got; no code is sent. */
async function codeFinding(deps: Deps, issuer: Issuer, metadata: Metadata): Promise<Finding> {
  const answer = await postToken(deps, issuer, metadata, {
    grant_type: otpGrant,
    auth_session: 'bursar-check',
    otp: '000000',
  })
  if (answer.ok || answer.reason === 'wrong')
    return ok(
      'codes',
      'The grant for one-time codes is open to this client. Whether the connection sends mail shows with the first code.',
    )
  if (answer.reason !== 'misconfigured')
    return warning('codes', `Codes could not be checked: ${answer.said}.`, 'Try again in a minute.')
  return problem(
    'codes',
    `The provider refuses one-time codes for this client: ${answer.said}.`,
    'In Auth0, use an application with a back end (Regular Web Application), switch on the grant type Passwordless OTP under Advanced Settings, and the e-mail code (email_otp) on the database connection. Single-page applications are refused.',
  )
}

function logoutFinding(app: App, issuer: Issuer, metadata: Metadata): Finding {
  const { logoutUrl } = addressesOf(app, issuer.id)
  return metadata.backchannel_logout_supported === false
    ? warning(
        'logout',
        'It does not tell the hub when somebody signs out there.',
        'Sessions here end by themselves after twelve hours.',
      )
    : ok('logout', `So that signing out there ends sessions here, register the back-channel logout URL ${logoutUrl}.`)
}
