import type { FastifyInstance } from 'fastify'
import { pageScope, refuse } from './answer.ts'
import { type Assets, assetPath, widgetAssets } from './assets.ts'
import { html, type Markup, paragraph } from './html.ts'

export type FrameDeps = {
  /** The sites that may show an organization's frames; null when there is no such organization. */
  originsOf(slug: string): Promise<{ readonly name: string; readonly origins: readonly string[] } | null>
  /** The address of another Stripe.js, for the demo's simulated provider; null in earnest. Asked each time. */
  stripeJs(): string | null
}

/** Which script shows which element. */
const scripts: Readonly<Record<string, 'checkout' | 'account'>> = {
  checkout: 'checkout',
  'payment-form': 'checkout',
  'payment-status': 'checkout',
  login: 'account',
  'auth-status': 'account',
  'profile-menu': 'account',
}

// As Stripe's own documentation of content policies lists them (docs.stripe.com/security/guide).
const stripe = {
  script: 'https://js.stripe.com https://*.js.stripe.com',
  frame: 'https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com https://checkout.stripe.com',
  connect: 'https://api.stripe.com https://checkout.stripe.com',
  image: 'https://*.stripe.com',
} as const

/**
 * Only our own files and the payment provider's. No form-action: the form that opens a course ends at whichever
 * school holds the seat, and browsers would hold that redirect to the same rule. `'self'` lets our own pages show it.
 */
export function policyOf(origins: readonly string[], demo: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' ${demo === '' ? stripe.script : demo}`,
    "style-src 'self'",
    `frame-src ${demo === '' ? stripe.frame : demo}`,
    `connect-src 'self' ${demo === '' ? stripe.connect : demo}`,
    `img-src 'self' data: ${demo === '' ? stripe.image : demo}`,
    "base-uri 'none'",
    `frame-ancestors ${["'self'", ...origins].join(' ')}`,
  ].join('; ')
}

const languagePattern = /^[a-z]{2}/i

function languageOf(assets: Assets, asked: unknown, accepted: string | undefined): string {
  const wish = languagePattern.exec(typeof asked === 'string' ? asked : (accepted ?? ''))?.[0].toLowerCase()
  return assets.languages.find((language) => language === wish) ?? 'en'
}

type Shown = {
  readonly organization: string
  readonly element: string
  readonly name: string
  readonly origins: readonly string[]
  readonly language: string
  readonly stripeJs: string | null
}

/** What a page needs in its head for `<bursar-app>`: for the frame here, and for pages of the hub's own. */
export function widgetHead(assets: Assets, shown: Shown): Markup {
  const entry = scripts[shown.element] ?? 'checkout'
  const ahead = [
    ...assets.imported(entry),
    ...(shown.language === 'en' ? [] : [assets.path(entry, `texts-${shown.language}.js`)]),
    ...(entry === 'checkout' ? [assets.path(entry, 'provider.js')] : []),
  ].filter((path) => path !== null)
  return html`<meta name="bursar-organization" content="${shown.organization}"><meta name="bursar-element" content="${shown.element}"><meta name="bursar-origins" content="${shown.origins.join(' ')}">${
    shown.stripeJs !== null && html`<meta name="bursar-stripe-js" content="${shown.stripeJs}">`
  }<link rel="stylesheet" href="${assets.path('frame', 'frame.css') ?? ''}">${ahead.map((path) => html`<link rel="modulepreload" href="${path}">`)}<link rel="license" href="${assetPath}/licenses.txt"><script type="module" src="${assets.path(entry, `${entry}.js`) ?? ''}"></script>`
}

const documentOf = (assets: Assets, shown: Shown): string =>
  html`<!doctype html><html lang="${shown.language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${shown.name}</title>${widgetHead(assets, shown)}</head><body><bursar-app></bursar-app></body></html>`
    .markup

/** The frame behind an element of the widget: a thin page on the hub's origin that registered sites may show. */
export function frameRoutes(fastify: FastifyInstance, deps: FrameDeps): void {
  const guarded = pageScope(fastify, 'frame')
  fastify.get(
    '/frame/:organization/:element',
    guarded(async (request, reply) => {
      const { organization = '', element = '' } = request.params
      const known = Object.hasOwn(scripts, element) ? await deps.originsOf(organization) : null
      if (known === null) {
        const body = paragraph('The address names an organization or an element that this hub does not know.')
        return refuse(request, reply, 'not_found', { title: 'Nothing here', body })
      }
      const assets = await widgetAssets()
      const stripeJs = deps.stripeJs()
      const shown: Shown = {
        ...{ organization, element, name: known.name, origins: known.origins, stripeJs },
        language: languageOf(assets, request.query.lang, request.headers['accept-language']),
      }
      // The strict default forbids every frame; here the policy above decides.
      void reply.removeHeader('x-frame-options')
      return reply
        .headers({
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': policyOf(known.origins, stripeJs === null ? '' : new URL(stripeJs).origin),
          'cross-origin-resource-policy': 'cross-origin',
          'referrer-policy': 'origin',
          'permissions-policy': 'camera=(), microphone=(), geolocation=()',
          'cache-control': 'no-store',
        })
        .send(documentOf(assets, shown))
    }),
  )
}
