import type { LimitPolicy } from '@bursar/connectors/lms/port.ts'
import { fail } from '@bursar/kit/errors.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'

/** One configured school or payment account. `credentials` are sealed; only `open.ts` opens them. */
export type Connection = {
  readonly id: string
  readonly organizationId: string
  readonly category: 'lms' | 'payment'
  readonly platform: string
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly credentials: Buffer | null
  readonly state: 'active' | 'paused'
  readonly updatedAt: number
}

export const sealedFor = (connectionId: string) => `connection:${connectionId}`
export const secretSealedFor = (secretId: string) => `connection_secret:${secretId}`

/** A limit from the settings wins over the platform's own. */
export const limitOf = (connection: Connection, platform: LimitPolicy): LimitPolicy => {
  const { requests, windowMs } = connection.config as Partial<LimitPolicy>
  return { requests: requests ?? platform.requests, windowMs: windowMs ?? platform.windowMs }
}

export const connectionById = (tx: Tx, id: string) =>
  tx.maybeOne<Connection>(sql('connection_by_id')`
    select id, organization_id as "organizationId", category, platform, name, config, credentials, state, updated_at as "updatedAt"
    from connection where id = ${id}`)

export const connections = (tx: Tx, category: string | null) =>
  tx.many<Connection>(sql('connection_list')`
    select id, organization_id as "organizationId", category, platform, name, config, credentials, state, updated_at as "updatedAt"
    from connection where organization_id = bursar_organization() and category = coalesce(${category}, category) order by id limit 200`)

export type NewConnection = {
  readonly category: 'lms' | 'payment'
  readonly platform: string
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly credentials: Readonly<Record<string, unknown>>
}

/** Makes a connection, or brings the one of this name to these settings. Credentials are sealed to the row. */
export async function saveConnection(tx: Tx, ctx: Ctx, input: NewConnection): Promise<string> {
  const known = await tx.maybeOne<{ id: string; platform: string }>(sql('connection_by_name')`
    select id, platform from connection where organization_id = ${ctx.organization} and category = ${input.category} and name = ${input.name}`)
  if (known !== null && known.platform !== input.platform)
    fail('already_exists', `A connection named ${input.name} exists for ${known.platform}.`)
  const id = known?.id ?? ctx.ids.next('con')
  const sealed = ctx.secrets.seal(json(input.credentials), sealedFor(id))
  await tx.run(sql('connection_save')`
    insert into connection (id, organization_id, category, platform, name, config, credentials, created_at, updated_at)
    values (${id}, ${ctx.organization}, ${input.category}, ${input.platform}, ${input.name}, ${json(input.config)}, ${sealed}, ${ts(tx.now)}, ${ts(tx.now)})
    on conflict (organization_id, category, name) do update set config = excluded.config, credentials = excluded.credentials, updated_at = excluded.updated_at`)
  return id
}

export const setConnectionState = (tx: Tx, id: string, state: 'active' | 'paused') =>
  tx.run(sql('connection_state')`update connection set state = ${state}, updated_at = ${ts(tx.now)} where id = ${id}`)

/**
 * Adds a webhook secret. The ones before it stay valid for `overlapMs`, so that deliveries signed with them and
 * retried for days still arrive; `exclusive` ends them at once.
 */
export async function addSecret(
  tx: Tx,
  ctx: Ctx,
  connectionId: string,
  secret: string,
  overlapMs: number,
): Promise<string> {
  await tx.run(sql('connection_secret_retire')`
    update connection_secret set valid_until = ${ts(tx.now + overlapMs)} where connection_id = ${connectionId} and valid_until is null`)
  return insertSecret(tx, ctx, connectionId, secret, false)
}

type KnownSecret = { readonly id: string; readonly sealed: Buffer; readonly listed: boolean; readonly ends: boolean }

/**
 * Makes the secrets of a connection those of the list: each listed one is valid for as long as it is listed, one that
 * was listed before stays valid for `overlapMs`. Secrets given by hand are not touched. The same list changes nothing.
 */
export async function keepSecrets(
  tx: Tx,
  ctx: Ctx,
  connectionId: string,
  list: readonly string[],
  overlapMs: number,
): Promise<void> {
  // The row, so that two nodes that start at once do not both add what is missing.
  await tx.run(sql('connection_lock')`select 1 from connection where id = ${connectionId} for update`)
  const rows = await tx.many<KnownSecret>(sql('connection_secret_known')`
    select id, sealed, listed, valid_until is not null as ends from connection_secret
    where connection_id = ${connectionId} and (valid_until is null or valid_until > ${ts(tx.now)})`)
  const known = rows.map((row) => ({ ...row, secret: ctx.secrets.open(row.sealed, secretSealedFor(row.id)) }))
  const kept = known.filter((k) => list.includes(k.secret) && (k.ends || !k.listed)).map((k) => k.id)
  const left = known.filter((k) => !list.includes(k.secret) && k.listed && !k.ends).map((k) => k.id)
  await tx.run(sql('connection_secret_keep')`
    update connection_secret set listed = true, valid_until = null where id = any(${kept}::text[])`)
  await tx.run(sql('connection_secret_leave')`
    update connection_secret set valid_until = ${ts(tx.now + overlapMs)} where id = any(${left}::text[])`)
  for (const secret of new Set(list))
    if (!known.some((k) => k.secret === secret)) await insertSecret(tx, ctx, connectionId, secret, true)
}

async function insertSecret(tx: Tx, ctx: Ctx, connectionId: string, secret: string, listed: boolean): Promise<string> {
  const id = ctx.ids.next('whs')
  await tx.run(sql('connection_secret_add')`
    insert into connection_secret (id, organization_id, connection_id, sealed, listed, valid_from, created_at)
    values (${id}, ${ctx.organization}, ${connectionId}, ${ctx.secrets.seal(secret, secretSealedFor(id))}, ${listed}, ${ts(tx.now)}, ${ts(tx.now)})`)
  return id
}
