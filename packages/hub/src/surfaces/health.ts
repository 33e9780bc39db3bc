import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyInstance } from 'fastify'

/** `/healthz`: the process lives. `/readyz`: it can do its work, and is not on its way out. */
export function registerHealth(
  fastify: FastifyInstance,
  probes: { readonly ready: () => boolean | Promise<boolean>; readonly stopping: () => boolean },
): void {
  fastify.get('/healthz', async () => ({ alive: true }))
  fastify.get('/readyz', async () => {
    if (probes.stopping() || !(await probes.ready())) throw new CodedError('not_ready')
    return { ready: true }
  })
}
