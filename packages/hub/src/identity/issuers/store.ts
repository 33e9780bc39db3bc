import type { Instant } from '@bursar/kit/clock.ts'
import type { App, Secrets } from '#action/context.ts'
import type { Database, Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

export const algorithmChoices = ['RS256', 'ES256', 'EdDSA'] as const
export type Algorithm = (typeof algorithmChoices)[number]
export const tokenTypes = ['at+jwt', 'any'] as const
export const issuerStates = ['active', 'paused'] as const

/** An identity provider on an organization's allow list, without its secret. */
export type Issuer = {
  readonly id: string
  readonly organization: string
  readonly slug: string
  readonly url: string
  readonly name: string
  readonly audiences: readonly string[]
  readonly clientId: string | null
  readonly hasSecret: boolean
  readonly trustsEmail: boolean
  readonly signIn: boolean
  readonly accessTokens: boolean
  readonly codeChallenge: boolean
  readonly connection: string | null
  readonly algorithms: readonly Algorithm[]
  readonly tokenType: (typeof tokenTypes)[number]
  readonly state: (typeof issuerStates)[number]
  readonly createdAt: Instant
}

export type IssuerSettings = Omit<Issuer, 'id' | 'organization' | 'slug' | 'hasSecret' | 'createdAt' | 'url'>

type Row = {
  readonly id: string
  readonly organization_id: string
  readonly slug: string
  readonly url: string
  readonly name: string
  readonly audiences: string[]
  readonly client_id: string | null
  readonly client_secret: Buffer | null
  readonly trusts_email: boolean
  readonly sign_in: boolean
  readonly access_tokens: boolean
  readonly code_challenge: boolean
  readonly connection: string | null
  readonly algorithms: Algorithm[]
  readonly token_type: Issuer['tokenType']
  readonly state: Issuer['state']
  readonly created_at: Instant
}

// The sealed secret ends here; whoever needs it asks for it by name.
const toIssuer = (row: Row): Issuer => ({
  id: row.id,
  organization: row.organization_id,
  slug: row.slug,
  url: row.url,
  name: row.name,
  audiences: row.audiences,
  clientId: row.client_id,
  hasSecret: row.client_secret !== null,
  trustsEmail: row.trusts_email,
  signIn: row.sign_in,
  accessTokens: row.access_tokens,
  codeChallenge: row.code_challenge,
  connection: row.connection,
  algorithms: row.algorithms,
  tokenType: row.token_type,
  state: row.state,
  createdAt: row.created_at,
})

/** Over all tenants, for a request that has not said yet whose it is: those that take access tokens of this issuer. */
export const findAcceptingIssuers = async (db: Database, url: string): Promise<Issuer[]> => {
  const rows = await db.direct<Row>(sql('issuer_accepting')`
    select i.*, o.slug
    from issuer i join organization o on o.id = i.organization_id
    where i.url = ${url} and i.access_tokens and i.state = 'active'
    order by i.id limit 100`)
  return rows.map(toIssuer)
}

/** Over all tenants: the id names the organization as well. */
export const findIssuer = async (db: Database, id: string): Promise<Issuer | null> => {
  const rows = await db.direct<Row>(sql('issuer_find')`
    select i.*, o.slug
    from issuer i join organization o on o.id = i.organization_id
    where i.id = ${id}`)
  return rows[0] === undefined ? null : toIssuer(rows[0])
}

/** The issuer that sends an organization's codes; null when the hub sends them itself. */
export const findCodeIssuer = async (db: Database, organization: string): Promise<Issuer | null> => {
  const rows = await db.direct<{ id: string }>(sql('issuer_of_codes')`
    select id from issuer where organization_id = ${organization} and code_challenge and state = 'active'`)
  return rows[0] === undefined ? null : findIssuer(db, rows[0].id)
}

/** In the order in which they were added. */
export const listIssuers = async (tx: Tx, page: { readonly after: string | null; readonly limit: number }) => {
  const rows = await tx.many<Row>(sql('issuer_list')`
    select i.*, o.slug
    from issuer i join organization o on o.id = i.organization_id
    where i.organization_id = bursar_organization() and (${page.after}::text is null or i.id > ${page.after})
    order by i.id limit ${page.limit}`)
  return rows.map(toIssuer)
}

export const lockIssuer = async (tx: Tx, id: string): Promise<Issuer | null> => {
  const row = await tx.maybeOne<Row>(sql('issuer_lock')`
    select i.*, o.slug
    from issuer i join organization o on o.id = i.organization_id
    where i.id = ${id} for update of i`)
  return row === null ? null : toIssuer(row)
}

/** False when the organization has this issuer already. `secret` is sealed. */
export const insertIssuer = async (
  tx: Tx,
  it: IssuerSettings & { readonly id: string; readonly organization: string; readonly url: string },
  secret: Buffer | null,
): Promise<boolean> =>
  (await tx.run(sql('issuer_insert')`
    insert into issuer (id, organization_id, url, name, audiences, client_id, client_secret, trusts_email, sign_in,
      access_tokens, code_challenge, connection, algorithms, token_type, state, created_at, updated_at)
    values (${it.id}, ${it.organization}, ${it.url}, ${it.name}, ${it.audiences}, ${it.clientId}, ${secret}, ${it.trustsEmail}, ${it.signIn},
      ${it.accessTokens}, ${it.codeChallenge}, ${it.connection}, ${it.algorithms}, ${it.tokenType}, ${it.state}, ${ts(tx.now)}, ${ts(tx.now)})
    on conflict (url, organization_id) do nothing`)) === 1

/** Writes all settings; `secret` is sealed already, null keeps the one there is. */
export const updateIssuer = (tx: Tx, id: string, it: IssuerSettings, secret: Buffer | null) =>
  tx.run(sql('issuer_update')`
    update issuer set name = ${it.name}, audiences = ${it.audiences}, client_id = ${it.clientId},
      client_secret = coalesce(${secret}, client_secret), trusts_email = ${it.trustsEmail}, sign_in = ${it.signIn},
      access_tokens = ${it.accessTokens}, code_challenge = ${it.codeChallenge}, connection = ${it.connection},
      algorithms = ${it.algorithms}, token_type = ${it.tokenType}, state = ${it.state}, updated_at = ${ts(tx.now)}
    where id = ${id}`)

export const deleteIssuer = (tx: Tx, id: string) => tx.run(sql('issuer_delete')`delete from issuer where id = ${id}`)

const secretOwner = (id: string): string => `issuer.client_secret ${id}`

export const sealClientSecret = (secrets: Secrets, id: string, secret: string): Buffer =>
  secrets.seal(secret, secretOwner(id))

/** The client secret in clear, for a call to the issuer and nothing else. Null when there is none. */
export async function openClientSecret(app: Pick<App, 'db' | 'secrets'>, id: string): Promise<string | null> {
  const rows = await app.db.direct<{ sealed: Buffer | null }>(
    sql('issuer_secret')`select client_secret as sealed from issuer where id = ${id}`,
  )
  const sealed = rows[0]?.sealed ?? null
  return sealed === null ? null : app.secrets.open(sealed, secretOwner(id))
}

/** The issuers whose button a sign-in page shows. */
export const listSignInIssuers = (db: Database, organization: string): Promise<{ id: string; name: string }[]> =>
  db.direct(sql('issuer_sign_in_list')`
    select id, name from issuer
    where organization_id = ${organization} and sign_in and state = 'active' order by id limit 20`)
