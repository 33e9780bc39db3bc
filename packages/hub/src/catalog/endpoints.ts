import type { Instant } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { sql, ts } from '#db/sql.ts'
import type { Endpoint, EndpointSecret } from '#events/endpoint.ts'
import { type Connection, secretSealedFor } from './connections.ts'
import { paymentsOf } from './open.ts'

type SecretRow = {
  readonly id: string
  readonly sealed: Buffer
  readonly validFrom: Instant
  readonly validUntil: Instant | null
}
// As many as a seed may list; those that ended are kept only to name a sender that still uses one.
export const secretsMax = 10

const findConnection = async (app: App, category: Connection['category'], id: string | null) => {
  const rows = await app.db.direct<Connection>(sql('endpoint_connection')`
    select id, organization_id as "organizationId", category, platform, name, config, credentials, state, updated_at as "updatedAt"
    from connection where category = ${category} and id = coalesce(${id}, id) order by created_at limit 2`)
  // Without an id the address stands for the only connection there is; with two it would be a guess.
  return rows.length === 1 ? (rows[0] ?? null) : null
}

const findSecrets = async (app: App, connectionId: string): Promise<EndpointSecret[]> => {
  const rows = await app.db.direct<SecretRow>(sql('endpoint_secrets')`
    select id, sealed, valid_from as "validFrom", valid_until as "validUntil"
    from connection_secret where connection_id = ${connectionId}
    order by valid_until is null or valid_until > ${ts(app.clock.now())}::timestamptz desc, created_at desc limit ${secretsMax}`)
  return rows.map((row) => ({
    id: row.id,
    secret: app.secrets.open(row.sealed, secretSealedFor(row.id)),
    validFrom: row.validFrom,
    validUntil: row.validUntil,
  }))
}

/** Where a payment provider's events come in: named by connection id, or the only payment connection. */
export async function paymentEndpoint(app: App, connectionId: string | null): Promise<Endpoint | null> {
  const connection = await findConnection(app, 'payment', connectionId)
  if (connection === null) return null
  const connector = paymentsOf(app, connection)
  const { livemode } = connection.config as { livemode?: boolean }
  return {
    organization: connection.organizationId,
    connection: connection.id,
    source: `${connection.platform}:${connection.id}`,
    livemode: livemode ?? null,
    secrets: await findSecrets(app, connection.id),
    verify: (delivery, secrets, now) => connector.verify(delivery, secrets, now),
  }
}
