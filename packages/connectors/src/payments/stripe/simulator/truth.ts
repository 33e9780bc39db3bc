import type { Instant } from '@bursar/kit/clock.ts'
import type Stripe from 'stripe'
import { paymentIntentOf } from './invoices.ts'
import { idOf, type World } from './world.ts'

/** What the provider knows to be so, in Stripe's own integers: the yardstick for "every paid seat is open". */
export type ProviderTruth = {
  readonly checkouts: readonly {
    readonly session: string
    readonly mode: string
    readonly status: string | null
    readonly paid: boolean
    readonly email: string | null
    readonly metadata: Readonly<Record<string, string>>
    readonly paymentIntent: string | null
    readonly subscription: string | null
    readonly amount: number
    readonly currency: string | null
    readonly lines: readonly { readonly price: string | null; readonly quantity: number; readonly amount: number }[]
  }[]
  readonly payments: readonly {
    readonly paymentIntent: string
    readonly charge: string | null
    readonly status: string
    readonly amount: number
    readonly currency: string
    /** Sum of refunds that succeeded or are on their way. */
    readonly refunded: number
    readonly disputed: boolean
  }[]
  readonly refunds: readonly {
    readonly refund: string
    readonly paymentIntent: string | null
    readonly amount: number
    readonly status: string | null
  }[]
  readonly disputes: readonly {
    readonly dispute: string
    readonly paymentIntent: string | null
    readonly status: string
    readonly amount: number
    readonly fundsWithdrawn: boolean
  }[]
  readonly subscriptions: readonly {
    readonly subscription: string
    readonly status: string
    readonly customer: string | null
    readonly cancelAt: Instant | null
    readonly metadata: Readonly<Record<string, string>>
    readonly items: readonly { readonly price: string; readonly quantity: number; readonly periodEnd: Instant }[]
    /** Every period that was paid for, oldest first; a trial counts with amount 0. */
    readonly paidPeriods: readonly {
      readonly invoice: string
      readonly paymentIntent: string | null
      readonly price: string | null
      readonly amount: number
      readonly start: Instant
      readonly end: Instant
    }[]
  }[]
  /** By currency: what came in, what it cost, what remains. */
  readonly balance: Readonly<Record<string, { readonly gross: number; readonly fees: number; readonly net: number }>>
}

const ms = (seconds: number): Instant => seconds * 1_000

function subscriptionTruth(world: World, subscription: Stripe.Subscription): ProviderTruth['subscriptions'][number] {
  const paid = [...world.invoices.values()].filter(
    (invoice) =>
      invoice.status === 'paid' && idOf(invoice.parent?.subscription_details?.subscription) === subscription.id,
  )
  return {
    subscription: subscription.id,
    status: subscription.status,
    customer: idOf(subscription.customer),
    cancelAt: subscription.cancel_at === null ? null : ms(subscription.cancel_at),
    metadata: subscription.metadata,
    items: subscription.items.data.map((item) => ({
      price: item.price.id,
      quantity: item.quantity ?? 1,
      periodEnd: ms(item.current_period_end),
    })),
    paidPeriods: paid.flatMap((invoice) =>
      invoice.lines.data.map((line) => ({
        invoice: invoice.id,
        paymentIntent: paymentIntentOf(world, invoice.id)?.id ?? null,
        price: idOf(line.pricing?.price_details?.price),
        amount: line.amount,
        start: ms(line.period.start),
        end: ms(line.period.end),
      })),
    ),
  }
}

function balance(world: World): ProviderTruth['balance'] {
  const sums: Record<string, { gross: number; fees: number; net: number }> = {}
  for (const transaction of world.transactions.values()) {
    const sum = sums[transaction.currency] ?? { gross: 0, fees: 0, net: 0 }
    sums[transaction.currency] = {
      gross: sum.gross + transaction.amount,
      fees: sum.fees + transaction.fee,
      net: sum.net + transaction.net,
    }
  }
  return sums
}

export function truthOf(world: World): ProviderTruth {
  return {
    checkouts: [...world.sessions.values()].map((session) => ({
      session: session.id,
      mode: session.mode,
      status: session.status,
      paid: session.status === 'complete' && session.payment_status !== 'unpaid',
      email: session.customer_details?.email ?? session.customer_email,
      metadata: session.metadata ?? {},
      paymentIntent: idOf(session.payment_intent),
      subscription: idOf(session.subscription),
      amount: session.amount_total ?? 0,
      currency: session.currency,
      lines: (world.lines.get(session.id) ?? []).map((line) => ({
        price: line.price?.id ?? null,
        quantity: line.quantity ?? 1,
        amount: line.amount_total,
      })),
    })),
    payments: [...world.payments.values()].map((payment) => {
      const charge = world.charges.get(idOf(payment.latest_charge) ?? '')
      return {
        paymentIntent: payment.id,
        charge: charge?.id ?? null,
        status: payment.status,
        amount: payment.amount,
        currency: payment.currency,
        refunded: charge?.amount_refunded ?? 0,
        disputed: charge?.disputed ?? false,
      }
    }),
    refunds: [...world.refunds.values()].map((refund) => ({
      refund: refund.id,
      paymentIntent: idOf(refund.payment_intent),
      amount: refund.amount,
      status: refund.status,
    })),
    disputes: [...world.disputes.values()].map((dispute) => ({
      dispute: dispute.id,
      paymentIntent: idOf(dispute.payment_intent),
      status: dispute.status,
      amount: dispute.amount,
      fundsWithdrawn: dispute.balance_transactions.reduce((sum, moved) => sum + moved.amount, 0) < 0,
    })),
    subscriptions: [...world.subscriptions.values()].map((subscription) => subscriptionTruth(world, subscription)),
    balance: balance(world),
  }
}
