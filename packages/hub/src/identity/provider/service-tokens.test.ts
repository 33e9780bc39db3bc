import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as client from 'openid-client'
import { type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
let organization: string
before(async () => {
  world = await testProvider()
  organization = await world.it.organization('school')
})
after(() => world.close())

async function service(scopes: readonly string[] = ['entitlements:read']) {
  const { clientId, clientSecret } = await world.provider.clients.registerService({ organization, name: 'ERP', scopes })
  const auth = client.ClientSecretBasic(clientSecret ?? '')
  const insecure = { execute: [client.allowInsecureRequests] }
  const config = await client.discovery(new URL(`${world.url}/auth`), clientId, {}, auth, insecure)
  return { clientId, config }
}

const resource = () => `${world.url}/api`

test('a service gets a token for the hub’s API, and the token says for whom it speaks and what it may', async () => {
  const { clientId, config } = await service()
  const { access_token } = await client.clientCredentialsGrant(config, {
    resource: resource(),
    scope: 'entitlements:read',
  })
  const head = JSON.parse(Buffer.from(access_token.split('.')[0] ?? '', 'base64url').toString()) as object
  assert.deepEqual({ ...head, kid: '' }, { alg: 'RS256', typ: 'at+jwt', kid: '' })
  const caller = await world.provider.verifyServiceToken(access_token)
  assert.deepEqual(caller, { clientId, organization, scopes: ['entitlements:read'] })
})

test('a scope the client was not given, or that nobody knows, is refused', async () => {
  const { config } = await service()
  for (const scope of ['entitlements:write', 'made:up', 'openid'])
    await assert.rejects(client.clientCredentialsGrant(config, { resource: resource(), scope }), { status: 400 }, scope)
  await assert.rejects(world.provider.clients.registerService({ organization, name: 'x', scopes: ['made:up'] }), {
    code: 'input_invalid',
  })
})

test('I15: a token for another audience, a forged one, or one of a client that is gone is not valid', async () => {
  const { clientId, config } = await service()
  await assert.rejects(client.clientCredentialsGrant(config, { resource: 'https://other.example/api' }))
  const opaque = await client.clientCredentialsGrant(config, { scope: 'entitlements:read' })
  assert.equal(await world.provider.verifyServiceToken(opaque.access_token), null)
  const { access_token } = await client.clientCredentialsGrant(config, {
    resource: resource(),
    scope: 'entitlements:read',
  })
  const [head, body, signature = ''] = access_token.split('.')
  const claims = JSON.parse(Buffer.from(body ?? '', 'base64url').toString()) as object
  const more = Buffer.from(JSON.stringify({ ...claims, scope: 'entitlements:write' })).toString('base64url')
  assert.equal(await world.provider.verifyServiceToken(`${head}.${more}.${signature}`), null)
  assert.notEqual(await world.provider.verifyServiceToken(access_token), null)
  assert.equal(await world.provider.clients.remove('org_other', clientId), false)
  assert.equal(await world.provider.clients.remove(organization, clientId), true)
  assert.equal(await world.provider.verifyServiceToken(access_token), null)
})

test('an organization sees its clients', async () => {
  const { clientId } = await service(['entitlements:read', 'entitlements:write'])
  const [newest] = await world.provider.clients.list(organization)
  assert.equal(newest?.clientId, clientId)
  assert.deepEqual([newest?.kind, newest?.scopes], ['service', ['entitlements:read', 'entitlements:write']])
})
