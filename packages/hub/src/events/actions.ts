import { day } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { action } from '#action/define.ts'
import { id, instant } from '#action/fields.ts'
import { type EventFilter, listEvents } from './list.ts'
import { replay } from './replay.ts'
import { eventShape, eventState, payloadShape, showEvent, showPayload } from './shape.ts'
import { countEvents, findEvent, findPayload } from './store.ts'

const listMax = 100
const replayMax = 1_000
const statsDaysMax = 92

const filter = {
  state: eventState.optional(),
  type: z.string().min(1).max(200).optional(),
  source: z.string().min(1).max(200).optional(),
  externalId: z.string().min(1).max(255).optional(),
  since: instant.optional(),
  until: instant.optional(),
}

export const list = action({
  name: 'events.list',
  summary: 'List inbound events, newest first, by state, type, source, external id and time of receipt.',
  input: z.object({
    ...filter,
    after: id('evt').optional(),
    limit: z.number().int().min(1).max(listMax).default(50),
  }),
  output: z.object({ events: z.array(eventShape), next: z.string().nullable() }),
  access: 'events:read',
  effect: 'read',
  examples: [{ summary: 'What could not be processed', input: { state: 'failed' } }],
  run: async (ctx, { after, limit, ...narrow }) => {
    const rows = await listEvents(ctx.tx, narrow, { after, limit: limit + 1 })
    const events = rows.slice(0, limit).map(showEvent)
    return { events, next: rows.length > limit ? (events.at(-1)?.id ?? null) : null }
  },
})

export const get = action({
  name: 'events.get',
  summary: 'Show one inbound event with what was delivered, as long as its payload is kept.',
  input: z.object({ eventId: id('evt') }),
  output: z.object({ event: eventShape, payload: payloadShape.nullable() }),
  access: 'events:read',
  effect: 'read',
  // Payloads hold names, addresses and amounts of buyers.
  sensitive: true,
  run: async (ctx, { eventId }) => {
    const row = await findEvent(ctx.tx, eventId)
    if (row === null) throw new CodedError('not_found', 'There is no such event.')
    const payload = await findPayload(ctx.tx, row)
    return { event: showEvent(row), payload: payload === null ? null : showPayload(payload) }
  },
})

const narrows = (f: EventFilter): boolean => Object.values(f).some((value) => value !== undefined)

export const replayAction = action({
  name: 'events.replay',
  summary:
    'Process events again: one by its id, or up to `limit` that match a filter, newest first. Effects happen once.',
  input: z.object({
    eventId: id('evt').optional(),
    ...filter,
    limit: z.number().int().min(1).max(replayMax).default(100),
  }),
  output: z.object({ replayed: z.number().int(), eventIds: z.array(z.string()), more: z.boolean() }),
  access: 'events:write',
  effect: 'write',
  examples: [{ summary: 'Everything that failed', input: { state: 'failed', limit: 1000 } }],
  run: async (ctx, { eventId, limit, ...narrow }) => {
    if ((eventId === undefined) === !narrows(narrow))
      throw new CodedError('input_invalid', 'Name either one event or at least one filter.')
    if (eventId !== undefined) {
      const row = await findEvent(ctx.tx, eventId)
      if (row === null) throw new CodedError('not_found', 'There is no such event.')
      await replay(ctx.tx, ctx.organization, [eventId])
      return { replayed: 1, eventIds: [eventId], more: false }
    }
    const rows = await listEvents(ctx.tx, narrow, { limit: limit + 1 })
    const eventIds = rows.slice(0, limit).map((r) => r.id)
    await replay(ctx.tx, ctx.organization, eventIds)
    return { replayed: eventIds.length, eventIds, more: rows.length > limit }
  },
})

export const stats = action({
  name: 'events.stats',
  summary: 'Count inbound events by day, type and state over a range of at most 92 days; the last seven by default.',
  input: z.object({ since: instant.optional(), until: instant.optional() }),
  output: z.object({
    counts: z.array(
      z.object({
        day: z.string(),
        type: z.string(),
        state: eventState,
        events: z.number().int(),
        deliveries: z.number().int(),
      }),
    ),
  }),
  access: 'events:read',
  effect: 'read',
  run: async (ctx, input) => {
    const until = input.until ?? ctx.tx.now
    const since = input.since ?? until - 7 * day
    if (since >= until || until - since > statsDaysMax * day)
      throw new CodedError('input_invalid', `The range must be positive and at most ${statsDaysMax} days.`)
    const rows = await countEvents(ctx.tx, since, until)
    return { counts: rows.map((r) => ({ ...r, events: Number(r.events), deliveries: Number(r.deliveries) })) }
  },
})

export const eventActions = [list, get, replayAction, stats] as const
