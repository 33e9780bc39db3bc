import type Stripe from 'stripe'
import type { Endpoint } from './api.ts'
import { metadataOf } from './catalog.ts'
import { advanceClock, createTestClock } from './clocks.ts'
import type { Form } from './form.ts'
import { page } from './lists.ts'
import { as, resource } from './resource.ts'
import { cancel, pause, resume, schedule } from './subscriptions.ts'
import { find, Refusal, snapshotForm, thinForm, type World } from './world.ts'

function updateSubscription(world: World, id: string, params: Stripe.SubscriptionUpdateParams): Stripe.Subscription {
  const subscription = find(world.subscriptions, id, 'subscription')
  subscription.metadata = metadataOf(params.metadata, subscription.metadata)
  const cancelAt = params.cancel_at
  return schedule(world, id, {
    ...(typeof cancelAt === 'number' ? { cancel_at: cancelAt } : {}),
    ...(params.cancel_at_period_end === undefined ? {} : { cancel_at_period_end: params.cancel_at_period_end }),
  })
}

const subscriptions = (world: World): Endpoint[] => [
  ...resource('subscriptions', 'subscription', world.subscriptions, 'subscriptions_list', ['customer', 'test_clock']),
  {
    method: 'POST',
    pattern: '/v1/subscriptions/:id',
    operation: 'subscriptions_update',
    run: ({ id, form }) => updateSubscription(world, id, as<Stripe.SubscriptionUpdateParams>(form)),
  },
  {
    method: 'DELETE',
    pattern: '/v1/subscriptions/:id',
    operation: 'subscriptions_cancel',
    run: ({ id }) => cancel(world, id),
  },
  {
    method: 'POST',
    pattern: '/v1/subscriptions/:id/pause',
    operation: 'subscriptions_pause',
    run: ({ id }) => pause(world, id),
  },
  {
    method: 'POST',
    pattern: '/v1/subscriptions/:id/resume',
    operation: 'subscriptions_resume',
    run: ({ id }) => resume(world, id),
  },
  {
    method: 'GET',
    pattern: '/v1/subscription_items',
    operation: 'subscription_items_list',
    run: ({ form }) =>
      page(
        find(world.subscriptions, String(form.subscription), 'subscription', 'subscription').items.data,
        form,
        '/v1/subscription_items',
      ),
  },
]

const invoices = (world: World): Endpoint[] => [
  ...resource('invoices', 'invoice', world.invoices, 'invoices_list', ['customer', 'status']),
  ...resource('invoice_payments', 'invoice_payment', world.invoicePayments, 'invoice_payments_list', ['invoice']),
  {
    method: 'GET',
    pattern: '/v1/invoices/:id/lines',
    operation: 'invoices_lines',
    run: ({ id, form }) => page(find(world.invoices, id, 'invoice').lines.data, form, `/v1/invoices/${id}/lines`),
  },
]

const clocks = (world: World): Endpoint[] => [
  ...resource('test_helpers/test_clocks', 'test clock', world.clocks, 'test_clocks_list'),
  {
    method: 'POST',
    pattern: '/v1/test_helpers/test_clocks',
    operation: 'test_clocks_create',
    run: ({ form }) => createTestClock(world, as<Stripe.TestHelpers.TestClockCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/test_helpers/test_clocks/:id/advance',
    operation: 'test_clocks_advance',
    run: ({ id, form }) => advanceClock(world, id, as<Stripe.TestHelpers.TestClockAdvanceParams>(form).frozen_time),
  },
]

const typesOf = (form: Form): readonly string[] | null =>
  Array.isArray(form.types) ? form.types.map(String) : typeof form.type === 'string' ? [form.type] : null

/** Stripe's own limit on the `types` of one call. */
const maxTypes = 20

const events = (world: World): Endpoint[] => [
  {
    method: 'GET',
    pattern: '/v1/events',
    operation: 'events_list',
    run: ({ form }) => {
      const types = typesOf(form)
      if (types !== null && types.length > maxTypes)
        throw new Refusal(`You may specify at most ${maxTypes} types.`, { param: 'types' })
      const found = world.events.filter((event) => types === null || types.includes(event.type)).reverse()
      const listed = page(found, form, '/v1/events')
      const ids = new Set((listed.data as readonly { id: string }[]).map((event) => event.id))
      return { ...listed, data: found.filter((event) => ids.has(event.id)).map((event) => snapshotForm(world, event)) }
    },
  },
  {
    method: 'GET',
    pattern: '/v1/events/:id',
    operation: 'retrieve',
    run: ({ id }) => {
      const found = world.events.find((event) => event.id === id)
      if (found === undefined)
        throw new Refusal(`No such event: '${id}'`, { code: 'resource_missing', param: 'id' }, 404)
      return snapshotForm(world, found)
    },
  },
  {
    method: 'GET',
    pattern: '/v2/core/events/:id',
    operation: 'retrieve',
    run: ({ id }) => {
      const found = world.events.find((event) => event.thinId === id)
      if (found === undefined) throw new Refusal(`No such event: '${id}'`, { code: 'not_found' }, 404)
      return thinForm(world, found)
    },
  },
  {
    method: 'GET',
    pattern: '/v2/core/events',
    operation: 'v2_events_list',
    run: ({ form }) => ({
      data: world.events
        .filter((event) => form.object_id === undefined || event.object.id === form.object_id)
        .reverse()
        .slice(0, form.limit === undefined ? 20 : Number(form.limit))
        .map((event) => thinForm(world, event)),
      next_page_url: null,
      previous_page_url: null,
    }),
  },
]

export const billingEndpoints = (world: World): Endpoint[] => [
  ...subscriptions(world),
  ...invoices(world),
  ...clocks(world),
  ...events(world),
]
