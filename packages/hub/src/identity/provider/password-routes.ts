import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { SignedIn } from '../signed-in.ts'
import type { AuthHome } from './auth.ts'
import { changeState, setPassword, signInWithPassword } from './password-sign-in.ts'
import { passwordMax } from './passwords/passwords.ts'
import { sessionSource } from './sessions.ts'

const signInBody = z.object({
  email: z.string().max(254),
  password: z.string().max(passwordMax),
  organization: z.string().max(100).optional(),
  transport: z.enum(['cookie', 'token']).default('cookie'),
})
const passwordBody = z.object({ password: z.string().max(passwordMax) })

/** JSON only, and said so: a form that a foreign page posts is refused before anything is tried. */
function read<T>(request: FastifyRequest, schema: z.ZodType<T>): T {
  const isJson = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() === 'application/json'
  if (!isJson || !Buffer.isBuffer(request.body)) throw new CodedError('input_invalid', 'Send a JSON object.')
  let given: unknown
  try {
    given = JSON.parse(request.body.toString())
  } catch {
    // JSON.parse throws for one reason only, and the caller is told.
    throw new CodedError('body_unreadable')
  }
  const parsed = schema.safeParse(given)
  if (!parsed.success) throw new CodedError('input_invalid', parsed.error.issues[0]?.message)
  return parsed.data
}

/** Passwords, on roads of our own: the library's would end in a sign-in that waits for its second step. */
export function passwordRoutes(fastify: FastifyInstance, home: AuthHome): void {
  fastify.post('/auth/sign-in/password', async (request, reply) => {
    const { email, password, organization = null, transport } = read(request, signInBody)
    const userAgent = request.headers['user-agent'] ?? null
    const answer = await signInWithPassword(home, email, password, { organization, address: request.ip, userAgent })
    if ('refused' in answer) throw new CodedError('unauthenticated', 'The address or the password is wrong.')
    if (transport === 'cookie') void reply.header('set-cookie', [...answer.cookies])
    const { hasFactor } = await changeState(home, answer.signedIn)
    return {
      expiresAt: new Date(answer.expiresAt).toISOString(),
      secondFactor: hasFactor ? 'needed' : 'none',
      ...(transport === 'token' ? { token: answer.token } : {}),
    }
  })
  fastify.post('/auth/password', async (request) => {
    const { password } = read(request, passwordBody)
    await setPassword(home, await demandSession(home, request), password)
    return { ok: true }
  })
}

async function demandSession(home: AuthHome, request: FastifyRequest): Promise<SignedIn> {
  const signedIn = await sessionSource(home)(request)
  if (signedIn === null || signedIn === 'invalid') throw new CodedError('unauthenticated')
  return signedIn
}
