import type { App } from '#action/context.ts'
import { personCtx } from '#contract/asking.ts'
import { onboardLearner } from '#contract/onboard.ts'
import { launch } from '#entitlements/launch.ts'
import { launchState, seatOfPerson } from '#entitlements/launch-seat.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { takeWhatWaits } from '#main/identity.ts'
import { claimOrder } from '#orders/claim.ts'
import { readClaimLink, useClaimLink } from '#orders/links.ts'
import { undoClaim } from '#orders/undo.ts'
import { humanDrawn } from './lives-checkout.ts'
import { type Act, asking, type Cart, refusal, request, type Scene, sessionOf, tokensIn } from './scene.ts'

type Try = { readonly as: SignedIn; readonly secret: string | null; readonly confirm: boolean; readonly token?: string }

const onboard =
  (scene: Scene, cart: Cart, it: Try) =>
  async (app: App): Promise<string> => {
    try {
      const answer = await onboardLearner(
        asking(app, it.as),
        {
          orderRef: cart.orderRef,
          ...(it.secret === null ? {} : { claimSecret: it.secret }),
          ...(it.token === undefined ? {} : { linkToken: it.token }),
          confirmEmail: it.confirm,
        },
        { request, traceId: 'storm' },
      )
      return answer.status
    } catch (error) {
      const { code, caseId } = refusal(error)
      if (code === 'claimed_already') await heard(scene, cart.orderRef ?? '', caseId ?? '', it.as.subject)
      return code
    }
  }

/** Whoever was told that an order is somebody else's must find a case in the hands of the organization. */
async function heard(scene: Scene, order: string, caseId: string, subject: string): Promise<void> {
  scene.told.refused.push({ order, caseId, subject })
  const rows = await scene.world.rows<{ mine: boolean }>(`
    select o.claimed_by = k.claimant as mine from access_case k join "order" o on o.id = k.order_id
    where k.id = '${caseId}' and k.order_id = '${order}'`)
  if (rows.length === 0) scene.seen.push({ code: 'refused_without_case', about: order, detail: `${subject} ${caseId}` })
}

/** Mostly the buyer with what the browser keeps; now and then somebody else, or an impostor, with or without it. */
function tryDrawn(scene: Scene, cart: Cart): Try {
  const { by } = scene
  const human = by.chance(0.75) ? cart.buyer : humanDrawn(scene)
  const way = by.one(['hub', 'hub', 'hub', 'hub', 'other', 'other', 'rogue'] as const) ?? 'hub'
  const secret = by.chance(0.75) ? (by.one(cart.secrets) ?? null) : null
  return { as: sessionOf(scene, human, way, by.chance(0.5)), secret, confirm: by.chance(0.5) }
}

const withOrder = ({ carts }: Scene) => carts.filter((c) => c.orderRef !== null)

/** Mostly a purchase that is paid and open, as people come back for; now and then any. */
async function cartDrawn(scene: Scene): Promise<Cart | undefined> {
  const carts = withOrder(scene)
  if (scene.by.chance(0.25)) return scene.by.one(carts)
  const paid = new Set(
    scene.world.stripe
      .truth()
      .checkouts.filter((c) => c.paid)
      .map((c) => c.session),
  )
  const rows = await scene.world.rows<{ id: string; session: string }>(`
    select id, checkout_id as session from "order"
    where request_key is not null and state in ('pending', 'awaiting_funds', 'paid', 'partially_refunded')`)
  const good = new Set(rows.filter((row) => paid.has(row.session)).map((row) => row.id))
  return scene.by.one(carts.filter((c) => good.has(c.orderRef ?? '')))
}

/** Somebody whose messages hold such a link, and one of those links. */
async function linkDrawn(scene: Scene, form: RegExp): Promise<{ human: number; token: string } | null> {
  const all: { human: number; token: string }[] = []
  for (const [human, email] of scene.cast.people.entries())
    for (const token of await tokensIn(scene, email, form)) all.push({ human, token })
  return scene.by.one(all) ?? null
}

/** Pay, sign in, stand in the course: before or after the money came, once or again. */
export const comeBack: Act = async (scene) => {
  const cart = await cartDrawn(scene)
  if (cart === undefined) return null
  const it = tryDrawn(scene, cart)
  const label = `onboard ${cart.key} ${it.as.subject}${it.secret === null ? '' : ' secret'}${it.confirm ? ' confirmed' : ''}`
  const times = scene.by.chance(0.15) ? 2 : 1
  for (let i = 0; i < times; i++) await scene.web().begin(label, onboard(scene, cart, it))
  return `${label} x${times}`
}

/** Two who hold the same secret, at once. */
export const race: Act = async (scene) => {
  const { by, world } = scene
  const cart = await cartDrawn(scene)
  if (cart === undefined || cart.secrets.length === 0) return null
  const secret = by.one(cart.secrets) ?? null
  const pair = [cart.buyer, humanDrawn(scene)].map((human, i) => ({
    as: sessionOf(scene, human, i === 0 ? 'hub' : 'other', by.chance(0.5)),
    secret,
    confirm: true,
  }))
  if (!scene.atOnce) {
    for (const it of pair) await scene.web().begin(`race ${cart.key} ${it.as.subject}`, onboard(scene, cart, it))
    return `race ${cart.key}`
  }
  const outcomes = await Promise.all(
    pair.map(async (it) => {
      const { ctx, user } = await personCtx(world.app, it.as, world.organization, 'storm')
      const wish = { orderId: cart.orderRef ?? '', claimSecret: secret, linkToken: null, confirmEmail: true }
      const result = await claimOrder(ctx, user, wish)
      if (result.kind === 'second_claimant') await heard(scene, wish.orderId, result.caseId, it.as.subject)
      return result.kind === 'claimed' && !result.already
    }),
  )
  if (outcomes.every((won) => won))
    scene.seen.push({
      code: 'race_won_twice',
      about: cart.orderRef ?? '',
      detail: pair.map((p) => p.as.subject).join(),
    })
  return `race ${cart.key} at once`
}

const claimForm = /\/claim\/([A-Za-z0-9_-]{43})$/
const undoForm = /\/claim\/undo\/([A-Za-z0-9_-]{43})$/

/** What the page behind the link does: spends it, signs its reader in, takes what waits, claims. */
const openLink =
  (scene: Scene, token: string, visitor: SignedIn) =>
  async (app: App): Promise<string> => {
    const found = await useClaimLink(app, token)
    if (found === null) return 'used'
    const { mailbox, organization, orderId } = found
    const human = mailbox === null ? null : scene.cast.people.indexOf(mailbox)
    const as = human === null ? visitor : sessionOf(scene, human, 'hub', true)
    if (mailbox !== null) await takeWhatWaits(app, organization, as)
    const { ctx, user } = await personCtx(app, as, organization, 'storm')
    const wish = { orderId, claimSecret: null, linkToken: mailbox === null ? token : null, confirmEmail: false }
    const result = await claimOrder(ctx, user, wish)
    if (result.kind === 'second_claimant') await heard(scene, orderId, result.caseId, as.subject)
    return result.kind
  }

/** A link out of a message, new or used, on one device or on two. */
export const followLink: Act = async (scene) => {
  const { by, world } = scene
  const drawn = await linkDrawn(scene, claimForm)
  if (drawn === null) return null
  const { human, token } = drawn
  const visitor = sessionOf(scene, by.chance(0.7) ? human : humanDrawn(scene), 'hub', by.chance(0.5))
  const devices = by.chance(0.3) ? 2 : 1
  if (devices > 1 && scene.atOnce) {
    const was = await readClaimLink(world.app, token)
    const outcomes = await Promise.all([1, 2].map(() => openLink(scene, token, visitor)(world.app)))
    if (was !== null && was.mailbox !== null && !outcomes.includes('used'))
      scene.seen.push({ code: 'link_used_twice', about: was.orderId, detail: outcomes.join() })
    return `link of ${human} on two devices at once`
  }
  for (let i = 0; i < devices; i++) await scene.web().begin(`link of ${human}`, openLink(scene, token, visitor))
  return `link of ${human} x${devices}`
}

/** "It was not me": the link in the notice to the paid mailbox. */
export const undo: Act = async (scene) => {
  const drawn = await linkDrawn(scene, undoForm)
  if (drawn === null) return null
  const { human, token } = drawn
  await scene.web().begin(`undo by ${human}`, async (app) => ((await undoClaim(app, token)).ok ? 'undone' : 'too late'))
  return `undo by ${human}`
}

/** A code to the mailbox, and everything that waits for it. */
export const signIn: Act = async (scene) => {
  const human = humanDrawn(scene)
  const as = sessionOf(scene, human, scene.by.chance(0.8) ? 'hub' : 'other', true)
  await scene.web().begin(`sign in ${as.subject}`, async (app) => {
    await takeWhatWaits(app, scene.world.organization, as)
    return 'in'
  })
  return `sign in ${as.subject}`
}

/** Somebody at the door of a seat: their own, or one whose name they found. */
export const enterSchool: Act = async (scene) => {
  const { by, world } = scene
  const seats = await world.rows<{ id: string }>(`select id from enrollment where wanted = 'granted' order by id`)
  const seat = by.one(seats)
  if (seat === undefined) return null
  const way = by.one(['hub', 'hub', 'other', 'rogue'] as const) ?? 'hub'
  const as = sessionOf(scene, humanDrawn(scene), way, by.chance(0.4))
  await scene.web().begin(`enter ${as.subject}`, async (app) => {
    const found = await seatOfPerson(app, seat.id, as)
    if (found === null) return 'no such seat'
    const state = launchState(found)
    if (state !== 'open') return state
    const launched = await launch(app, found, { path: null, signsIn: false })
    if (!launched.ok) return launched.reason
    scene.told.launched.push({ subject: as.subject, accountEmail: found.accountEmail, rogue: way === 'rogue' })
    return 'entered'
  })
  return `enter ${as.subject}`
}
