import { systemClock } from '@bursar/kit/clock.ts'
import { errorBody } from '@bursar/kit/errors.ts'
import Fastify from 'fastify'
import type { App } from '#action/context.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import type { CodeDelivery } from './deps.ts'
import { createProvider, type Provider } from './provider.ts'

export type TestProvider = {
  readonly it: TestApp
  /** Where the provider answers HTTP. */
  readonly url: string
  readonly provider: Provider
  /** What was mailed, oldest first. */
  readonly mails: CodeDelivery[]
  /** The newest code to an address. */
  code(email: string): string
  close(): Promise<void>
}

export const secretForTests = 'a secret for tests that nobody uses elsewhere 0123456789'

/** The provider on a database of its own, with a mailbox that a test can read. Time is real: the library has no other. */
export async function testProvider(): Promise<TestProvider> {
  const known = { url: 'http://127.0.0.1:1' }
  const it = await testApp({ clock: systemClock })
  const app: App = {
    ...it.app,
    get publicUrl() {
      return known.url
    },
  }
  const mails: CodeDelivery[] = []
  const provider = createProvider({
    app,
    databaseUrl: it.database.url,
    secret: secretForTests,
    deliverCode: async (mail) => void mails.push(mail),
    serviceScopes: ['entitlements:read', 'entitlements:write'],
  })
  const server = await serve(provider)
  known.url = server.url
  return {
    it: { ...it, app },
    url: server.url,
    provider,
    mails,
    code: (email) => mails.findLast((mail) => mail.email === email.toLowerCase())?.code ?? 'no mail',
    close: async () => {
      await server.stop()
      await provider.close()
      await it.close()
    },
  }
}

export const somewhere = { organization: null, address: '192.0.2.7', userAgent: 'Test Browser' } as const

/** The provider's routes on a port of their own, as main mounts them. */
async function serve(provider: Provider): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const fastify = Fastify()
  fastify.removeAllContentTypeParsers()
  fastify.setErrorHandler((error, _, reply) => {
    const { status, body } = errorBody(error)
    return reply.code(status).send(body)
  })
  await fastify.register(provider.handler)
  const url = await fastify.listen({ host: '127.0.0.1', port: 0 })
  return { url, stop: () => fastify.close() }
}
