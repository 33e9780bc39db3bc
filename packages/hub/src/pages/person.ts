import type { CallerUser } from '#action/caller.ts'
import type { App } from '#action/context.ts'
import { type Ctx, inTx, systemCtx } from '#action/context.ts'
import { sql } from '#db/sql.ts'
import { schoolOrigins } from '#entitlements/launch-path.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { callerOfUser } from '#identity/user-caller.ts'

/** The context of a signed-in person in one organization. A session of another organization is refused `not_found`. */
export async function personCtx(
  app: App,
  signedIn: SignedIn,
  organization: string,
  traceId: string,
): Promise<{ readonly ctx: Ctx; readonly user: CallerUser }> {
  const { actor, user } = await callerOfUser(app, signedIn, organization)
  if (user === undefined) throw new Error('a signed-in caller without its person')
  return { ctx: { ...systemCtx(app, organization, 'pages', traceId), actor, user }, user }
}

const schoolsMax = 50

/** Where the forms of a page may end that opens courses of this organization: at its schools. */
export async function schoolsOf(app: App, organization: string): Promise<readonly string[]> {
  const rows = await inTx({ db: app.db, organization }, (tx) =>
    tx.many<{ config: Record<string, unknown> }>(sql('page_schools')`
      select config from connection where organization_id = ${organization} and category = 'lms' order by id limit ${schoolsMax}`),
  )
  return [...new Set(rows.flatMap((row) => schoolOrigins(row.config)))]
}
