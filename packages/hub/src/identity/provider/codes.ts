import { CodedError } from '@bursar/kit/errors.ts'
import { isAPIError } from 'better-auth/api'
import * as z from 'zod'
import type { AuthHome } from './auth.ts'
import { addressHeader } from './deps.ts'
import { forgetAttempts, takeAttempt } from './limits.ts'
import { handOut, type NewSession } from './sessions.ts'

/** Whom a mail speaks for, and what is kept with a session so that its owner can recognise it. */
export type SignInContext = {
  readonly organization: string | null
  readonly address: string | null
  readonly userAgent: string | null
}

const addressMax = 254

/** An address in the one form we store it in. Throws `input_invalid`. */
export function readAddress(text: string): string {
  const email = text.trim().toLowerCase()
  if (email.length > addressMax || !z.email().safeParse(email).success)
    throw new CodedError('input_invalid', 'This is not an e-mail address.')
  return email
}

/** Sends a code to sign in with. The same work and the same answer whether or not the address is known. */
export async function requestCode(home: AuthHome, given: string, context: SignInContext): Promise<void> {
  const { app, deliverCode } = home.deps
  const email = readAddress(given)
  if (context.address !== null) await takeAttempt(app, 'code from network', context.address)
  await takeAttempt(app, 'code to address', email)
  await takeAttempt(app, 'code to address, day', email)
  const code = await home.auth().api.createVerificationOTP({ body: { email, type: 'sign-in' } })
  await deliverCode({ email, code, kind: 'sign_in', organization: context.organization })
}

export type CodeAnswer = (NewSession & { readonly isNew: boolean }) | { readonly refused: 'wrong' | 'too_many' }

/**
 * Signs in with a code. Makes the account when there is none (`isNew`); on an account whose mailbox nobody had proven,
 * everything that was on it is dropped first. Throws `rate_limited`.
 */
export async function verifyCode(
  home: AuthHome,
  given: string,
  code: string,
  context: SignInContext,
): Promise<CodeAnswer> {
  const { app } = home.deps
  const email = readAddress(given)
  if (context.address !== null) await takeAttempt(app, 'guess from network', context.address)
  await takeAttempt(app, 'guess at address', email)
  const auth = home.auth()
  const { internalAdapter } = await auth.$context
  const known = await internalAdapter.findUserByEmail(email)
  try {
    const { token } = await auth.api.signInEmailOTP({ body: { email, otp: code }, headers: headersOf(context) })
    await forgetAttempts(app, 'guess at address', email)
    return { ...(await handOut(home, token)), isNew: known === null }
  } catch (error) {
    if (!isAPIError(error)) throw error
    const reason = error.body?.code
    if (reason === 'TOO_MANY_ATTEMPTS') return { refused: 'too_many' }
    if (reason === 'INVALID_OTP' || reason === 'OTP_EXPIRED') return { refused: 'wrong' }
    throw error
  }
}

/**
 * Signs in whoever followed a single-use link that was mailed to this address: the same proof as a code, with the same
 * effect. The caller has checked and used up the link.
 */
export async function signInByMailbox(
  home: AuthHome,
  given: string,
  context: SignInContext,
): Promise<NewSession & { readonly isNew: boolean }> {
  const email = readAddress(given)
  const auth = home.auth()
  const { internalAdapter } = await auth.$context
  const known = await internalAdapter.findUserByEmail(email)
  const { token } = await auth.api.signInByLink({ body: { email }, headers: headersOf(context) })
  return { ...(await handOut(home, token)), isNew: known === null }
}

/** What the library reads of a request. */
export function headersOf(context: Pick<SignInContext, 'address' | 'userAgent'>): Headers {
  const headers = new Headers()
  if (context.address !== null) headers.set(addressHeader, context.address)
  if (context.userAgent !== null) headers.set('user-agent', context.userAgent)
  return headers
}
