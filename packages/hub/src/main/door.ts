import type { FastifyInstance } from 'fastify'
import type { App } from '#action/context.ts'
import type { Registry } from '#action/define.ts'
import { bodyOfForm, claimSecretIn, startHostedCheckout } from '#contract/hosted.ts'
import { contractRoutes } from '#contract/routes.ts'
import { originsOf } from '#identity/origins.ts'
import { assetRoutes } from '#pages/assets.ts'
import { frameRoutes } from '#pages/frame.ts'
import { type PagesDeps, pageRoutes } from '#pages/routes.ts'
import { signInRoutes } from '#surfaces/sign-in-routes.ts'
import type { Identity } from './identity.ts'

export type DoorParts = {
  readonly registry: Registry
  readonly identity: Identity
  /** Where another Stripe.js than Stripe's own lies: the demo's simulator; null in earnest. */
  readonly stripeJs: () => string | null
}

type Routes = (fastify: FastifyInstance) => void | Promise<void>

/** Every route besides actions and webhooks, each group in a scope of its own. */
export function doorRoutes(app: App, parts: DoorParts): readonly Routes[] {
  const { identity, stripeJs } = parts
  const { provider, issuers, sources, door } = identity
  return [
    provider.handler,
    (fastify) => issuers.routes(fastify),
    (fastify) => signInRoutes(fastify, door),
    (fastify) => contractRoutes(fastify, app, { sources }),
    (fastify) => assetRoutes(fastify),
    (fastify) => frameRoutes(fastify, { originsOf: (slug) => originsOf(app, slug), stripeJs }),
    ...pageRoutes(pagesOf(app, parts)),
  ]
}

/** What the pages need of the slices above them. */
function pagesOf(app: App, { registry, identity, stripeJs }: DoorParts): PagesDeps {
  const { provider, sources, door } = identity
  return {
    ...{ app, sources, registry, provider, door, stripeJs },
    claimSecretIn: (request, orderRef) => claimSecretIn(request, orderRef, app.publicUrl),
    start: async (form, request, traceId) => {
      const { location, cookie } = await startHostedCheckout(
        { app, sources },
        { ...bodyOfForm(form), request, traceId },
      )
      return { location, cookie: cookie?.header ?? null }
    },
  }
}
