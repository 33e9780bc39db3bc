import type { Caller } from '#action/caller.ts'
import { type Action, defineActions } from '#action/define.ts'
import { type ActionResult, runAction } from '#action/run.ts'
import { createOrganization } from '#identity/organizations.ts'
import type { World } from './world.ts'

type How = { readonly by?: Caller | null; readonly dryRun?: boolean; readonly key?: string }

/** For tests: asks actions as a key that may do everything in the world's organization, unless told otherwise. */
export function asking(world: () => World, actions: readonly Action[]) {
  const registry = defineActions(actions)
  const callerWith = (scopes: readonly string[], organization = world().organization): Caller => ({
    organization,
    actor: { kind: 'key', id: 'key_1', name: 'test' },
    scopes,
  })
  const ask = (name: string, input: unknown, how: How = {}): Promise<ActionResult> =>
    runAction(world().app, registry, {
      name,
      input,
      caller: how.by === undefined ? callerWith(['*']) : how.by,
      dryRun: how.dryRun,
      idempotencyKey: how.key,
    })
  const answer = async <T>(name: string, input: unknown, how?: How): Promise<T> => {
    const result = await ask(name, input, how)
    if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.body)}`)
    return result.output as T
  }
  const codeOf = async (name: string, input: unknown, how?: How): Promise<string> => {
    const result = await ask(name, input, how)
    return result.ok ? 'ok' : result.code
  }
  let strangers = 0
  /** A second organization, with nothing in it. */
  const stranger = async (): Promise<string> => {
    const { app } = world()
    const wish = { name: 'Stranger', slug: `stranger-${++strangers}` }
    const made = await app.db.tx('system', (tx) => createOrganization(tx, app, wish))
    if (made === null) throw new Error('the slug is taken')
    return made.id
  }
  return { ask, answer, codeOf, callerWith, stranger }
}
