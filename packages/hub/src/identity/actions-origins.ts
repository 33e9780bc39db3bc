import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Action, action } from '#action/define.ts'
import { addOrigin, listOrigins, originFrom, originsMax, removeOrigin } from './origins.ts'

const origins = z.object({ origins: z.array(z.string()) })
const site = z.string().min(1).max(300).describe('Scheme, host and port of a site, such as https://shop.example.')

const readOrigin = (text: string, loopback: boolean): string => {
  const origin = originFrom(text, loopback)
  if (origin !== null) return origin
  throw new CodedError('input_invalid', `${text} is not the address of a site.`, {
    issues: [{ path: 'origin', message: 'must be https:// and a host, without a path' }],
  })
}

export const originsAdd = action({
  name: 'origins.add',
  summary:
    'Let a site show this organization\u2019s checkout and login. Whoever runs that site sees no card and no code.',
  input: z.object({ origin: site }),
  output: origins,
  access: 'organizations:write',
  effect: 'write',
  examples: [{ summary: 'The shop', input: { origin: 'https://shop.example' } }],
  run: async (ctx, input) => {
    await addOrigin(ctx.tx, ctx.organization, readOrigin(input.origin, ctx.demo))
    const all = await listOrigins(ctx.tx, ctx.organization)
    if (all.length > originsMax) throw new CodedError('conflict', `At most ${originsMax} sites; remove one first.`)
    return { origins: all }
  },
})

export const originsRemove = action({
  name: 'origins.remove',
  summary: 'No longer let a site show this organization\u2019s checkout and login.',
  input: z.object({ origin: site }),
  output: origins,
  access: 'organizations:write',
  effect: 'write',
  run: async (ctx, input) => {
    const gone = await removeOrigin(ctx.tx, ctx.organization, readOrigin(input.origin, true))
    if (gone === 0) throw new CodedError('not_found', 'This site is not on the list.')
    return { origins: await listOrigins(ctx.tx, ctx.organization) }
  },
})

export const originsList = action({
  name: 'origins.list',
  summary: 'List the sites that may show this organization\u2019s checkout and login.',
  input: z.object({}),
  output: origins,
  access: 'organizations:read',
  effect: 'read',
  run: async (ctx) => ({ origins: await listOrigins(ctx.tx, ctx.organization) }),
})

export const originActions: readonly Action[] = [originsAdd, originsRemove, originsList]
