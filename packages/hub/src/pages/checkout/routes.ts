import type { IncomingHttpHeaders } from 'node:http'
import { minute } from '@bursar/kit/clock.ts'
import { CodedError, errorTable } from '@bursar/kit/errors.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { originsOf } from '#identity/origins.ts'
import { field, goOn, pageScope, refuse, sendPage } from '../answer.ts'
import { widgetAssets } from '../assets.ts'
import { policyOf, widgetHead } from '../frame.ts'
import { html, paragraph } from '../html.ts'
import { buttonLink, card } from '../parts.ts'
import { texts } from '../texts.ts'
import type { PageDeps } from '../visitor.ts'

export type CheckoutPageDeps = PageDeps & {
  /** The address of another Stripe.js, for the demo's simulated provider; null in earnest. */
  stripeJs(): string | null
  /** Begins an order from a plain form and says where the browser goes; `cookie` is a whole Set-Cookie value. */
  start(
    form: URLSearchParams,
    request: { readonly method: string; readonly headers: IncomingHttpHeaders },
    traceId: string,
  ): Promise<{ readonly location: string; readonly cookie: string | null }>
}

const t = texts.checkout
const orderPattern = /^ord_[0-9a-hjkmnp-tv-z]{26}$/
const pricesMax = 20
const priceText = /^[A-Za-z0-9_-]{1,255}(?::\d{1,4})?$/
const formBytesMax = 8 * 1_024
const startsPerMinute = 30

/** The widget as a page of its own: `/checkout/<organization>?price=…&price=…:2&code=…`. No amounts: prices have them. */
export function checkoutRoutes(fastify: FastifyInstance, deps: CheckoutPageDeps): void {
  const page = pageScope(fastify, 'checkout page')

  // The way back from the provider's page. The claim cookie of this browser came along; the order's page does the rest.
  fastify.get(
    '/checkout/return',
    page(async (request, reply) => {
      const order = field(request.query, 'order') ?? field(request.query, 'bursar_order') ?? ''
      return goOn(reply, orderPattern.test(order) ? `/orders/${order}` : '/account')
    }),
  )

  fastify.get(
    '/checkout/:organization',
    page(async (request, reply) => {
      const slug = request.params.organization ?? ''
      const known = await originsOf(deps.app, slug)
      const prices = [request.query.price ?? []].flat().filter((p) => typeof p === 'string' && priceText.test(p))
      if (known === null || prices.length === 0)
        return refuse(request, reply, 'not_found', { title: t.nothing.title, body: card(paragraph(t.nothing.text)) })
      const stripeJs = deps.stripeJs()
      const assets = await widgetAssets()
      const head = widgetHead(assets, {
        organization: slug,
        element: 'checkout',
        name: known.name,
        origins: [],
        language: 'en',
        stripeJs,
      })
      const policy = policyOf([], stripeJs === null ? '' : new URL(stripeJs).origin)
      const title = t.title(known.name)
      const body = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${title}</title>${head}</head><body><main><h1>${title}</h1><bursar-app element="checkout" organization="${slug}" prices="${prices.slice(0, pricesMax).join(',')}" email="${field(request.query, 'email') ?? ''}" promotion-code="${field(request.query, 'code') ?? ''}"></bursar-app></main></body></html>`
      return reply
        .headers({
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': policy.replace(/frame-ancestors .*$/, "frame-ancestors 'none'"),
          'referrer-policy': 'origin',
          'cross-origin-opener-policy': 'same-origin-allow-popups',
          'cache-control': 'no-store',
        })
        .send(body.markup)
    }),
  )
}

/**
 * `POST /checkout/start`: the same order by a plain form, for pages without script. Anybody's site may post it: it
 * begins an order and nothing else, and whoever sends no cookie that counts is a stranger. A scope of its own, because
 * a form may name several prices.
 */
export function checkoutStartRoutes(fastify: FastifyInstance, deps: CheckoutPageDeps): void {
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBytesMax },
    (_, body, done) => done(null, new URLSearchParams(String(body))),
  )
  const limit = fastify.createRateLimit({
    max: startsPerMinute,
    timeWindow: minute,
    keyGenerator: (request) => `checkout start ${normalizeIP(request.ip)}`,
  })
  fastify.post('/checkout/start', async (request, reply) => {
    const used = await limit(request)
    if (!used.isAllowed && used.isExceeded)
      return sendPage(reply, { title: texts.busy.title, status: 429, body: card(paragraph(texts.busy.text)) })
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
    try {
      const { location, cookie } = await deps.start(form, request, request.id)
      if (cookie !== null) void reply.header('set-cookie', cookie)
      // No redirect: the rule of the shop's own page about where its forms may end would hold for the provider as well.
      const body = card(paragraph(t.going.text), buttonLink(location, t.going.button))
      return sendPage(reply, { title: t.going.title, goTo: location, body })
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      const body = card(paragraph(t.refused.text), paragraph(error.message))
      return sendPage(reply, { title: t.refused.title, status: errorTable[error.code].status, body })
    }
  })
}
