import type { FastifyInstance } from 'fastify'
import type { AuthHome } from './auth.ts'
import { bodyBytesMax, crossOriginPaths, forward } from './bridge.ts'
import { passwordRoutes } from './password-routes.ts'

type Wildcard = { Params: { '*': string } }

/** `/auth/*`: the provider's own protocol. Bodies reach the library as the bytes that were sent. */
export const providerRoutes =
  (home: AuthHome) =>
  async (fastify: FastifyInstance): Promise<void> => {
    fastify.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyBytesMax }, (_, body, done) =>
      done(null, body),
    )
    passwordRoutes(fastify, home)
    fastify.route<Wildcard>({
      method: ['GET', 'POST'],
      url: '/auth/*',
      bodyLimit: bodyBytesMax,
      handler: (request, reply) => forward(home, request, reply, `/${request.params['*']}`),
    })
    for (const document of ['oauth-authorization-server', 'openid-configuration'])
      fastify.get(`/.well-known/${document}/auth`, (request, reply) =>
        forward(home, request, reply, `/.well-known/${document}`),
      )
    for (const path of crossOriginPaths)
      fastify.options(`/auth${path}`, (_, reply) =>
        reply
          .code(204)
          .header('access-control-allow-origin', '*')
          .header('access-control-allow-methods', 'GET, POST')
          .header('access-control-allow-headers', 'authorization, content-type')
          .header('access-control-max-age', '600')
          .send(),
      )
  }
