import { systemClock } from '@bursar/kit/clock.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import type { CodeDelivery } from './deps.ts'
import { createProvider, type Provider } from './provider.ts'

export type TestProvider = {
  readonly it: TestApp
  readonly provider: Provider
  /** What was mailed, oldest first. */
  readonly mails: CodeDelivery[]
  /** The newest code to an address. */
  code(email: string): string
  close(): Promise<void>
}

export const secretForTests = 'a secret for tests that nobody uses elsewhere 0123456789'

/** The provider on a database of its own, with a mailbox that a test can read. Time is real: the library has no other. */
export async function testProvider(publicUrl = 'http://127.0.0.1'): Promise<TestProvider> {
  const it = await testApp({ clock: systemClock, publicUrl })
  const mails: CodeDelivery[] = []
  const provider = createProvider({
    app: it.app,
    databaseUrl: it.database.url,
    secret: secretForTests,
    deliverCode: async (mail) => void mails.push(mail),
    serviceScopes: ['entitlements:read', 'entitlements:write'],
  })
  return {
    it,
    provider,
    mails,
    code: (email) => mails.findLast((mail) => mail.email === email.toLowerCase())?.code ?? 'no mail',
    close: async () => {
      await provider.close()
      await it.close()
    },
  }
}

export const somewhere = { organization: null, address: '192.0.2.7', userAgent: 'Test Browser' } as const
