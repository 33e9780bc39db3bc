import { readFileSync } from 'node:fs'
import type { SimReply, SimRoute } from '#simulator/server.ts'
import { apiVersion } from '../client.ts'
import { frameHtml } from './frame-html.ts'
import type { World } from './world.ts'

const read = (name: string): string => readFileSync(new URL(`./browser/${name}`, import.meta.url), 'utf8')

/** Stripe.js is a classic script; ours is written in modules. In this order each finds what it uses. */
const scriptParts = ['guards.js', 'frames.js', 'elements.js', 'embedded.js', 'stripe.js']
const frameModules = [
  'address.js',
  'challenge.js',
  'channel.js',
  'card.js',
  'controller.js',
  'embedded-page.js',
  'fields.js',
  'frames.js',
  'payment.js',
]

/** `@stripe/stripe-js` asks for the script of its release train: /endive/stripe.js. Older ones ask for /v3/. */
const train = apiVersion.split('.')[1] ?? 'v3'

const joined = (): string =>
  scriptParts
    .map(read)
    .join('\n')
    .replace(/^import .*\n/gm, '')
    .replace(/^export /gm, '')

const script = (home: string): string =>
  `(() => {\n'use strict'\n${joined()}\ninstall(${JSON.stringify(home)}, ${JSON.stringify(train)})\n})()\n`

const open = { 'access-control-allow-origin': '*', 'cache-control': 'no-store' }

const javascript = (body: string): SimReply => ({
  status: 200,
  headers: { ...open, 'content-type': 'text/javascript; charset=utf-8' },
  body,
})

/** Frames load nothing from elsewhere and run nothing inline. */
const framePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'"

const html = (body: string): SimReply => ({
  status: 200,
  headers: { ...open, 'content-type': 'text/html; charset=utf-8', 'content-security-policy': framePolicy },
  body,
})

const get = (pattern: string, handle: () => SimReply): SimRoute => ({ method: 'GET', pattern, handle })

/** The fake Stripe.js: the script, the frames it opens, and what they are made of. */
export const browserRoutes = (world: World): SimRoute[] => [
  get('/v3', () => javascript(script(world.baseUrl))),
  get('/v3/stripe.js', () => javascript(script(world.baseUrl))),
  get(`/${train}/stripe.js`, () => javascript(script(world.baseUrl))),
  ...frameModules.map((name) => get(`/stripe-js/${name}`, () => javascript(read(name)))),
  get('/stripe-js/frame.css', () => ({
    status: 200,
    headers: { ...open, 'content-type': 'text/css; charset=utf-8' },
    body: read('frame.css'),
  })),
  ...Object.entries(frameHtml).map(([name, body]) => get(`/stripe-js/${name}.html`, () => html(body))),
]
