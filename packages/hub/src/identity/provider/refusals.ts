import { APIError } from 'better-auth/api'

/** Refusals in the library's own kind of error: any other would be a fault to it. */
export const refuse = (code: string, message: string) => new APIError('FORBIDDEN', { code, message })

export const signInFirst = () => new APIError('UNAUTHORIZED', { code: 'unauthenticated', message: 'Sign in first.' })
