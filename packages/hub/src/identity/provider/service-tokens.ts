import { createLocalJWKSet, errors, type JWK, jwtVerify } from 'jose'
import { sql, ts } from '#db/sql.ts'
import { builtInIssuer } from '../signed-in.ts'
import type { AuthHome } from './auth.ts'
import { apiResource } from './clients.ts'

export type ServiceCaller = {
  readonly clientId: string
  readonly organization: string
  readonly scopes: readonly string[]
}

type Claims = { readonly azp?: unknown; readonly client_id?: unknown; readonly scope?: unknown; readonly sub?: unknown }

/**
 * Who a service token of ours speaks for; null when it is not one, has ended, or its client is gone. The keys come
 * from our own table, so a token costs no call to ourselves and nobody can point us to other keys.
 */
export async function verifyServiceToken(home: AuthHome, token: string): Promise<ServiceCaller | null> {
  const claims = await readClaims(home, token)
  const clientId = claims?.azp ?? claims?.client_id
  if (claims === null || typeof clientId !== 'string' || typeof claims.scope !== 'string') return null
  type Row = { organization: string | null; granted: string[] | null }
  const [client] = await home.deps.app.db.direct<Row>(sql('auth_service_client')`
    select "referenceId" as organization, "clientCredentialsScopes" as granted from auth."oauthClient"
    where "clientId" = ${clientId} and disabled is not true`)
  if (client === undefined || client.organization === null) return null
  // What the client may have now, not only what it could have when the token was made.
  const scopes = claims.scope.split(' ').filter((scope) => client.granted?.includes(scope))
  return { clientId, organization: client.organization, scopes }
}

async function readClaims(home: AuthHome, token: string): Promise<Claims | null> {
  const { app } = home.deps
  const rows = await app.db.direct<{ id: string; key: string }>(sql('auth_keys')`
    select id, "publicKey" as key from auth.jwks where "expiresAt" is null or "expiresAt" > ${ts(app.clock.now())}`)
  const keys = rows.map((row) => ({ ...(JSON.parse(row.key) as JWK), kid: row.id, alg: 'RS256' }))
  try {
    const { payload } = await jwtVerify<Claims>(token, createLocalJWKSet({ keys }), {
      issuer: builtInIssuer(app),
      audience: apiResource(app),
      algorithms: ['RS256'],
      typ: 'at+jwt',
      clockTolerance: 5,
      currentDate: new Date(app.clock.now()),
      requiredClaims: ['exp', 'iat'],
    })
    return payload
  } catch (error) {
    // Forged, ended, meant for somebody else: the caller is told "not valid", and no more.
    if (error instanceof errors.JOSEError) return null
    throw error
  }
}
