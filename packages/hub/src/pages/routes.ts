import type { FastifyInstance } from 'fastify'
import { type AccountPageDeps, accountRoutes } from './account/routes.ts'
import { type CheckoutPageDeps, checkoutRoutes, checkoutStartRoutes } from './checkout/routes.ts'
import { type ClaimPageDeps, claimRoutes } from './claim/routes.ts'
import { consentRoutes } from './consent/routes.ts'
import { launchRoutes } from './launch/routes.ts'
import { type OrderPageDeps, orderRoutes } from './order/routes.ts'
import { type SignInPageDeps, signInPageRoutes } from './sign-in/routes.ts'
import { ssoRoutes } from './sso/routes.ts'

export type PagesDeps = AccountPageDeps & CheckoutPageDeps & ClaimPageDeps & OrderPageDeps & SignInPageDeps

/** Every page of the hub's own, each group in a scope of its own. They need the provider's `/auth/*` on the same server. */
export const pageRoutes = (deps: PagesDeps): readonly ((fastify: FastifyInstance) => void)[] => [
  (fastify) => launchRoutes(fastify, deps),
  (fastify) => ssoRoutes(fastify, deps),
  (fastify) => signInPageRoutes(fastify, deps),
  (fastify) => consentRoutes(fastify, deps),
  (fastify) => claimRoutes(fastify, deps),
  (fastify) => orderRoutes(fastify, deps),
  (fastify) => checkoutRoutes(fastify, deps),
  (fastify) => checkoutStartRoutes(fastify, deps),
  (fastify) => accountRoutes(fastify, deps),
]
