import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Provider } from '#identity/provider/provider.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { maskEmail } from '#mail/address.ts'
import { type ClaimResult, claimOrder } from '#orders/claim.ts'
import { type ClaimLinkFound, readClaimLink, useClaimLink } from '#orders/links.ts'
import { readUndo, undoClaim } from '#orders/undo.ts'
import { goOn, ownForm, type PageRequest, pageScope, refuse, sendPage } from '../answer.ts'
import { html, type Markup, paragraph } from '../html.ts'
import type { Page } from '../page.ts'
import { buttonForm, buttonLink, card } from '../parts.ts'
import { personCtx } from '../person.ts'
import { signInPath } from '../return-path.ts'
import { texts } from '../texts.ts'
import { type PageDeps, visitorOf } from '../visitor.ts'

export type ClaimPageDeps = PageDeps & {
  readonly provider: Pick<Provider, 'signInByMailbox'>
  readonly door: { onSignedIn(organization: string, signedIn: SignedIn): Promise<void> }
}

const t = texts.claim

const itemList = (items: ClaimLinkFound['items']): Markup =>
  html`<ul>${items.map((i) => html`<li>${t.times(i.title, i.quantity)}</li>`)}</ul>`

const ended: Page = {
  title: t.ended.title,
  body: card(paragraph(t.ended.text), buttonLink(signInPath('/account'), t.ended.button)),
}

/**
 * The links in receipts, gifts and notices. GET says what a link is and changes nothing, because mail scanners open
 * links; the button's POST uses it. Tokens stand in addresses, so no answer is kept and nothing tells where it came from.
 */
export function claimRoutes(fastify: FastifyInstance, deps: ClaimPageDeps): void {
  const page = pageScope(fastify, 'claim')
  const { app } = deps
  const tokenOf = (request: PageRequest): string => request.params.token ?? ''

  fastify.get(
    '/claim/:token',
    page(async (request, reply) => {
      const found = await readClaimLink(app, tokenOf(request))
      if (found === null) return refuse(request, reply, 'link_expired', ended)
      const visitor = found.mailbox === null ? await visitorOf(deps, request) : null
      return sendPage(reply, linkPage(found, tokenOf(request), visitor))
    }),
  )
  fastify.post(
    '/claim/:token',
    page(ownForm(app.publicUrl, (request, reply) => take(deps, request, reply, tokenOf(request)))),
  )

  fastify.get(
    '/claim/undo/:token',
    page(async (request, reply) => {
      const found = await readUndo(app, tokenOf(request))
      if (found === null) return refuse(request, reply, 'link_expired', undoEnded)
      return sendPage(reply, {
        title: t.undo.title,
        from: found.organizationName,
        body: card(
          paragraph(t.from(found.organizationName)),
          itemList(found.items),
          paragraph(t.undo.text(found.claimedBy)),
          buttonForm(`/claim/undo/${tokenOf(request)}`, t.undo.button),
        ),
      })
    }),
  )
  fastify.post(
    '/claim/undo/:token',
    page(
      ownForm(app.publicUrl, async (request, reply) => {
        const undone = await undoClaim(app, tokenOf(request))
        if (!undone.ok) return refuse(request, reply, 'link_expired', undoEnded)
        const back = signInPath(`/orders/${undone.orderId}`)
        return sendPage(reply, {
          title: t.undo.done.title,
          body: card(paragraph(t.undo.done.text), buttonLink(back, texts.launch.prove)),
        })
      }),
    ),
  )
}

const undoEnded: Page = { title: t.undo.ended.title, body: card(paragraph(t.undo.ended.text)) }

function linkPage(found: ClaimLinkFound, token: string, visitor: SignedIn | null): Page {
  const { mailbox } = found
  const action = `/claim/${token}`
  return {
    title: found.isGift ? t.gift : t.title,
    from: found.organizationName,
    body: card(
      paragraph(t.from(found.organizationName)),
      itemList(found.items),
      paragraph(mailbox === null ? t.forAnybody : t.for(maskEmail(mailbox))),
      mailbox === null && visitor === null
        ? buttonLink(signInPath(action, null, found.slug), t.signIn)
        : buttonForm(action, t.take),
    ),
  }
}

async function take(
  deps: ClaimPageDeps,
  request: PageRequest,
  reply: FastifyReply,
  token: string,
): Promise<FastifyReply> {
  const { app } = deps
  const found = await useClaimLink(app, token)
  if (found === null) return refuse(request, reply, 'link_expired', ended)
  const { organization, orderId, mailbox } = found
  const signedIn = mailbox === null ? await visitorOf(deps, request) : await enter(deps, request, reply, found, mailbox)
  if (signedIn === null) return goOn(reply, signInPath(`/claim/${token}`, null, found.slug))
  const { ctx, user } = await personCtx(app, signedIn, organization, request.id)
  // A link that names its mailbox is spent by now; the session it made is the proof.
  const linkToken = mailbox === null ? token : null
  const result = await claimOrder(ctx, user, { orderId, claimSecret: null, linkToken, confirmEmail: false })
  if (result.kind === 'claimed') return goOn(reply, `/orders/${orderId}`)
  return refuse(request, reply, 'conflict', refusedPage(found, result))
}

/** Whoever holds the link reads the mailbox it was sent to: signs them in as its owner. */
async function enter(
  deps: ClaimPageDeps,
  request: PageRequest,
  reply: FastifyReply,
  found: ClaimLinkFound,
  mailbox: string,
): Promise<SignedIn> {
  const made = await deps.provider.signInByMailbox(mailbox, {
    organization: found.organization,
    address: request.ip,
    userAgent: request.headers['user-agent']?.slice(0, 300) ?? null,
  })
  for (const cookie of made.cookies) void reply.header('set-cookie', cookie)
  await deps.door.onSignedIn(found.organization, made.signedIn)
  return made.signedIn
}

function refusedPage(found: ClaimLinkFound, result: Exclude<ClaimResult, { kind: 'claimed' }>): Page {
  const text = result.kind === 'confirm' ? t.refused.unproven : t.refused[result.kind]
  return { title: t.title, from: found.organizationName, body: card(itemList(found.items), paragraph(text)) }
}
