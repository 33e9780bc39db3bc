import { CodedError } from '@bursar/kit/errors.ts'
import { type Ctx, inTx, systemCtx } from '#action/context.ts'
import type { ActionCtx } from '#action/define.ts'
import { personOf } from '#identity/people.ts'
import { callerOfUser } from '#identity/user-caller.ts'
import { resolveCase } from '#orders/cases.ts'
import { assignSeat, resendClaimLink, transferOrder } from '#orders/transfer.ts'
import { linkIdentity } from '#people/link.ts'
import { mergePeople } from '#people/merge.ts'
import { humanDrawn } from './lives-checkout.ts'
import { type Act, type Scene, sessionOf } from './scene.ts'

/** One action of an operator, as its route runs it: in one transaction; a refusal undoes all of it. */
async function act(scene: Scene, what: string, run: (ctx: ActionCtx) => Promise<unknown>, by?: Ctx) {
  const ctx = by ?? systemCtx(scene.world.app, scene.world.organization, 'operator of the storm')
  try {
    await inTx(ctx, (tx) => run({ ...ctx, tx, scopes: ['*'] }))
    return what
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return `${what}: ${error.code}`
  }
}

const paidOrders = (scene: Scene) =>
  scene.world.rows<{ id: string }>(`select id from "order" where paid_at is not null order by id`)

/** The person a session leads to, if anybody knows it yet. */
const knownPerson = (scene: Scene, human: number, way: 'hub' | 'other') => {
  const { world } = scene
  const { issuer, subject } = sessionOf(scene, human, way, false)
  return inTx({ db: world.app.db, organization: world.organization }, (tx) =>
    personOf(tx, world.organization, issuer, subject),
  )
}

/** An operator gives a purchase to another learner, by name or by address. */
export const transfer: Act = async (scene) => {
  const { by, cast } = scene
  const order = by.one(await paidOrders(scene))
  const human = humanDrawn(scene)
  const personId = by.chance(0.5) ? await knownPerson(scene, human, 'hub') : null
  if (order === undefined) return null
  const to = personId === null ? { email: cast.people[human] ?? '', name: null } : { personId }
  const what = `transfer to ${human} by ${personId === null ? 'address' : 'name'}`
  return act(scene, what, (ctx) => transferOrder(ctx, { orderId: order.id, to, reason: 'The storm wants it.' }))
}

/** Further seats of a line, given to addresses. */
export const assign: Act = async (scene) => {
  const { by, cast, world } = scene
  const lines = await world.rows<{ order: string; line: string }>(`
    select o.id as order, l.id as line from order_line l join "order" o on o.id = l.order_id
    where l.quantity > 1 and o.paid_at is not null order by l.id`)
  const chosen = by.one(lines)
  if (chosen === undefined) return null
  const human = humanDrawn(scene)
  const wish = { orderId: chosen.order, lineId: chosen.line, email: cast.people[human] ?? '', name: null }
  return act(scene, `assign a seat to ${human}`, (ctx) => assignSeat(ctx, wish))
}

/** The claim link once more. */
export const resend: Act = async (scene) => {
  const order = scene.by.one(await paidOrders(scene))
  return order === undefined ? null : act(scene, 'resend a claim link', (ctx) => resendClaimLink(ctx, order.id))
}

/** A person decides between two claimants. */
export const decide: Act = async (scene) => {
  const { by, world } = scene
  const open = await world.rows<{ id: string }>(`select id from access_case where state = 'open' order by id`)
  const chosen = by.one(open)
  if (chosen === undefined) return null
  const resolution = by.chance(0.5) ? ('keep' as const) : ('move' as const)
  const wish = { caseId: chosen.id, resolution, reason: 'The storm says so.' }
  return act(scene, `case decided: ${resolution}`, (ctx) => resolveCase(ctx, wish))
}

/** Two sessions in the same hands: two persons turn out to be one. */
export const link: Act = async (scene) => {
  const { world } = scene
  const human = humanDrawn(scene)
  const mine = sessionOf(scene, human, 'hub', true)
  const { actor, user } = await callerOfUser(world.app, mine, world.organization)
  if (user === undefined) return null
  const base = { ...systemCtx(world.app, world.organization, 'storm'), actor, user }
  scene.told.joined.push([human, human])
  return act(
    scene,
    `link both of ${human}`,
    (ctx) => linkIdentity(ctx.tx, ctx, user, sessionOf(scene, human, 'other', true)),
    base,
  )
}

/** An operator joins two persons, whoever they are. */
export const merge: Act = async (scene) => {
  const [a, b] = [humanDrawn(scene), humanDrawn(scene)]
  const from = await knownPerson(scene, a, scene.by.chance(0.5) ? 'hub' : 'other')
  const into = await knownPerson(scene, b, 'hub')
  if (from === null || into === null || from === into) return null
  scene.told.joined.push([a, b])
  return act(scene, `merge ${a} into ${b}`, (ctx) =>
    mergePeople(ctx.tx, ctx, { from, into, evidence: { kind: 'operator', reason: 'The storm says so.' } }),
  )
}
