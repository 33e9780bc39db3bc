import type Stripe from 'stripe'
import type { Failure } from '#failure.ts'
import type { ProbeFinding, ProbeReport } from '#lms/port.ts'
import { apiVersion } from './client.ts'
import type { StripeConfig } from './config.ts'
import { classify } from './failures.ts'
import { eventTypes } from './subjects.ts'

const keyPattern = /^(sk|rk)_(test|live)_[A-Za-z0-9_]+$/

const finding = (
  code: string,
  level: ProbeFinding['level'],
  message: string,
  fix: string | null = null,
): ProbeFinding => ({ code: `stripe.${code}`, level, message, fix })

/** What a signing secret looks like, before one signature fails for it. */
export function inspectWebhookSecret(secret: string): ProbeFinding {
  if (/^(sk|rk|pk)_/.test(secret))
    return finding(
      'secret_is_key',
      'problem',
      'This is an API key, not a signing secret.',
      'Copy the signing secret of the webhook endpoint; it starts with whsec_.',
    )
  if (!secret.startsWith('whsec_') || secret.length < 24 || /\s/.test(secret))
    return finding(
      'secret_shape',
      'problem',
      'A Stripe signing secret starts with whsec_ and has no spaces.',
      'Copy it again from the endpoint in Stripe\u2019s dashboard, or from `stripe listen`.',
    )
  return finding('secret_shape', 'ok', 'The signing secret has the right shape.')
}

function inspectKey(config: StripeConfig): ProbeFinding[] {
  const parts = keyPattern.exec(config.secretKey ?? '')
  if (parts === null)
    return [
      finding(
        'key_shape',
        'warning',
        'The key does not look like sk_test_…, sk_live_…, rk_test_… or rk_live_….',
        'Copy it again from Developers, API keys.',
      ),
    ]
  const live = parts[2] === 'live'
  const mode = finding('mode', 'ok', live ? 'Live mode: real money.' : 'Test mode: no real money.')
  if (config.livemode === undefined || config.livemode === live) return [mode]
  return [
    finding(
      'mode',
      'problem',
      `The key is for ${live ? 'live' : 'test'} mode, the connection is meant for the other.`,
      'Use the key of the same mode as the connection.',
    ),
  ]
}

const refused = (what: string, failure: Failure): ProbeFinding =>
  failure.class === 'unauthorized'
    ? finding(
        `right_${what}`,
        'problem',
        `The key may not read ${what}: ${failure.message}`,
        `Give the restricted key the right to read ${what}.`,
      )
    : finding('unreachable', 'problem', failure.message, 'Check the address and try again.')

/** Runs one harmless read; `null` when it worked. */
async function attempt(what: string, work: () => Promise<unknown>): Promise<ProbeFinding | null> {
  try {
    await work()
    return null
  } catch (error) {
    return refused(what, classify(error))
  }
}

/** The endpoints that exist, and which of our events nobody is told of. Lacking the right to look is no fault. */
async function inspectEndpoints(stripe: Stripe): Promise<ProbeFinding> {
  try {
    const { data } = await stripe.webhookEndpoints.list({ limit: 100 })
    const enabled = data.filter((endpoint) => endpoint.status === 'enabled')
    if (enabled.length === 0)
      return finding(
        'webhook_none',
        'warning',
        'No webhook endpoint is enabled; the hub would learn of payments only by asking.',
        'Add an endpoint for the address shown with this connection.',
      )
    const told = new Set(enabled.flatMap((endpoint) => endpoint.enabled_events))
    const missing = told.has('*') ? [] : Object.keys(eventTypes).filter((type) => !told.has(type))
    return missing.length === 0
      ? finding('webhook_events', 'ok', 'A webhook endpoint is enabled for every event the hub uses.')
      : finding(
          'webhook_events',
          'warning',
          `No endpoint is told of: ${missing.join(', ')}.`,
          'Add these events to the endpoint.',
        )
  } catch (error) {
    const failure = classify(error)
    return finding('webhook_unknown', 'warning', `The webhook endpoints cannot be read: ${failure.message}`, null)
  }
}

/** Is the key valid, for which mode, and may it read what the hub reads. Changes nothing at Stripe. */
export async function probe(stripe: Stripe | null, config: StripeConfig): Promise<ProbeReport> {
  if (stripe === null)
    return {
      usable: true,
      findings: [
        finding(
          'no_key',
          'warning',
          'Without a secret key only signed snapshot events are understood: no line items, no refunds from here, no sweep.',
          'Add a restricted key that may read checkout sessions, charges, refunds, disputes, invoices and subscriptions.',
        ),
      ],
    }
  const rights = [
    await attempt('checkout sessions', () => stripe.checkout.sessions.list({ limit: 1 })),
    await attempt('charges', () => stripe.charges.list({ limit: 1 })),
    await attempt('events', () => stripe.events.list({ limit: 1 })),
    await attempt('prices', () => stripe.prices.list({ limit: 1 })),
  ].filter((found) => found !== null)
  const findings = [...inspectKey(config), ...rights]
  const usable = !findings.some((found) => found.level === 'problem')
  if (rights.length === 0) {
    findings.push(finding('key', 'ok', `The key works; calls use API version ${apiVersion}.`))
    findings.push(await inspectEndpoints(stripe))
  }
  return { usable, findings }
}
