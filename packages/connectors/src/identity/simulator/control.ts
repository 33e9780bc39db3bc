import type { SimRoute } from '#simulator/server.ts'
import { addKey, type IdentityWorld, type SimUser } from './world.ts'

/** The hands of the provider's own people, for whoever plays with the demo. */
export const controlRoutes = (world: IdentityWorld, addUser: (user: Partial<SimUser>) => SimUser): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/users',
    handle: ({ body }) => ({ status: 200, body: addUser(JSON.parse(body.toString()) as Partial<SimUser>) }),
  },
  {
    method: 'POST',
    pattern: '/_sim/rotate',
    handle: () => ({ status: 200, body: { kid: addKey(world, 'RS256').kid } }),
  },
  { method: 'GET', pattern: '/_sim/codes', handle: () => ({ status: 200, body: { codes: world.sent } }) },
]
