import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPaymentProvider, paymentRegistry } from './registry.ts'

test('Every provider validates its settings and names its secrets among them', () => {
  for (const [name, provider] of Object.entries(paymentRegistry)) {
    assert.ok(isPaymentProvider(name))
    assert.ok(provider.configSchema.safeParse({}).success, `${name} can start without a key`)
    for (const field of provider.secretFields)
      assert.ok(!provider.configSchema.safeParse({ [field]: 7 }).success, `${name}.${field} is checked`)
  }
  assert.equal(isPaymentProvider('toString'), false)
})

test('Stripe refuses settings that cannot be meant', () => {
  const { configSchema } = paymentRegistry.stripe
  assert.ok(configSchema.safeParse({ secretKey: 'sk_test_123456', livemode: false, account: 'acct_1' }).success)
  assert.ok(!configSchema.safeParse({ apiBase: 'not a url' }).success)
  assert.ok(!configSchema.safeParse({ account: 'cus_1' }).success)
})
