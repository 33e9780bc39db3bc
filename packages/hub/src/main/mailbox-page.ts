import { createHash } from 'node:crypto'
import { second } from '@bursar/kit/clock.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '#action/context.ts'
import { type KeptMail, keptMail, keptMailById } from '#mail/mailbox.ts'
import { escapeHtml } from '#mail/words.ts'

const refreshSeconds = 3
const toMax = 320

/** GET /sandbox/mailbox: what the demo would have sent. Only from this machine: the codes in it sign people in. */
export const mailboxRoutes =
  (app: App) =>
  (fastify: FastifyInstance): void => {
    fastify.get('/sandbox/mailbox', async (request, reply) => {
      if (!isNear(request)) return away(reply)
      const to = askedAddress(request)
      return send(reply, listPage(await keptMail(app, to), to))
    })
    fastify.get('/sandbox/mailbox.json', async (request, reply) => {
      if (!isNear(request)) return away(reply)
      const messages = await keptMail(app, askedAddress(request))
      return reply.header('cache-control', 'no-store').send({ messages: messages.map(described) })
    })
    fastify.get<{ Params: { id: string } }>('/sandbox/mailbox/:id', async (request, reply) => {
      if (!isNear(request)) return away(reply)
      const mail = await keptMailById(app, request.params.id)
      return mail === null ? send(reply.status(404), goneHtml) : send(reply, messagePage(mail))
    })
    fastify.get<{ Params: { id: string } }>('/sandbox/mailbox/:id/body', async (request, reply) => {
      if (!isNear(request)) return away(reply)
      const mail = await keptMailById(app, request.params.id)
      return mail === null ? away(reply) : send(reply, besideHtml(mail.html), bodyPolicy)
    })
  }

const nearAddress = /^(?:::1|(?:::ffff:)?127(?:\.\d{1,3}){3})$/
const nearName = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/

/** From this machine and under its own name: a page elsewhere may point a name of its own at 127.0.0.1. */
const isNear = (request: FastifyRequest): boolean =>
  nearAddress.test(request.socket.remoteAddress ?? '') && nearName.test(request.headers.host ?? '')

const away = (reply: FastifyReply) =>
  reply.status(404).send({ error: { code: 'not_found', message: 'The mailbox answers on this machine only.' } })

function askedAddress(request: FastifyRequest): string | null {
  const { to } = request.query as { readonly to?: unknown }
  return typeof to === 'string' && to.trim() !== '' ? to.slice(0, toMax) : null
}

const described = ({ sentAt, ...mail }: KeptMail) => ({ ...mail, sentAt: new Date(sentAt).toISOString() })

const style = `:root{color-scheme:light dark}
body{margin:0;font:1rem/1.6 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:52rem;margin:3rem auto;padding:0 1.5rem}
a{overflow-wrap:anywhere}h1{font-size:1.75rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;font-weight:400;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #8886;vertical-align:top;overflow-wrap:anywhere}
thead th{font-weight:600}time{white-space:nowrap;font-variant-numeric:tabular-nums}
form{display:flex;gap:.5rem;align-items:center;flex-wrap:wrap}input,button{font:inherit;padding:.3rem .6rem}input{min-width:16rem}
.code{display:inline-block;margin:0;padding:.5rem 1rem;border:1px solid #8886;border-radius:.4rem;font:1.75rem/1.4 ui-monospace,monospace;user-select:all}
iframe{width:100%;height:46rem;border:1px solid #8886;border-radius:.4rem;background:Canvas}
pre{margin:.25rem 0;padding:.8rem 1rem;border:1px solid #8886;border-radius:.4rem;white-space:pre-wrap;overflow-wrap:anywhere;font:.875rem/1.5 ui-monospace,monospace}
a:focus-visible,input:focus-visible,button:focus-visible,summary:focus-visible,iframe:focus-visible,.code:focus-visible,pre:focus-visible{outline:3px solid currentColor;outline-offset:2px}`

// Looks whether there is something new; never while somebody types an address.
const script = `const newest = document.querySelector('main').dataset.newest
setInterval(async () => {
  if (document.hidden || document.activeElement?.id === 'to') return
  const answer = await fetch('/sandbox/mailbox.json' + location.search)
  if (!answer.ok) return
  const { messages } = await answer.json()
  if ((messages[0]?.id ?? '') !== newest) location.reload()
}, ${refreshSeconds * second})`

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const pagePolicy = [
  "default-src 'none'",
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(script)}`,
  "connect-src 'self'",
  "frame-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** A mail program opens links in a browser; here they open beside the mailbox. */
const besideHtml = (html: string): string => html.replace('<head>', () => '<head><base target="_blank">')

// Mail has its styles in attributes. Nothing runs and nothing is fetched.
const bodyPolicy = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'self'",
  'sandbox allow-popups allow-popups-to-escape-sandbox',
].join('; ')

const send = (reply: FastifyReply, html: string, policy = pagePolicy) =>
  reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      // Links carry claim tokens; nobody needs to know where a reader comes from.
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .send(html)

const pageHtml = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>${body}</main></body></html>`

const timeHtml = (at: number): string => {
  const iso = new Date(at).toISOString()
  return `<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`
}

function listPage(messages: readonly KeptMail[], to: string | null): string {
  const body = `<p><a href="/sandbox">The sandbox</a></p><h1>Mailbox</h1>
<p>What this hub would have sent. Nobody was written to. The page looks for new messages every ${refreshSeconds} seconds.</p>
<form action="/sandbox/mailbox"><label for="to">To</label><input id="to" name="to" type="email" autocomplete="off" value="${escapeHtml(to ?? '')}"><button>Show</button>${to === null ? '' : ' <a href="/sandbox/mailbox">Show all</a>'}</form>
${messages.length === 0 ? emptyHtml(to) : tableHtml(messages)}`
  const newest = `<main data-newest="${escapeHtml(messages[0]?.id ?? '')}">`
  return pageHtml('Mailbox', body)
    .replace('<main>', () => newest)
    .replace('</body>', () => `<script>${script}</script></body>`)
}

const emptyHtml = (to: string | null): string =>
  to === null
    ? '<p>Nothing yet. Buy something or ask for a sign-in code, and it appears here.</p>'
    : `<p>Nothing to ${escapeHtml(to)} yet.</p>`

const tableHtml = (messages: readonly KeptMail[]): string => {
  const rows = messages.map(
    (m) =>
      `<tr><th scope="row"><a href="/sandbox/mailbox/${escapeHtml(m.id)}">${escapeHtml(m.subject)}</a></th><td>${escapeHtml(m.to)}</td><td>${timeHtml(m.sentAt)}</td></tr>`,
  )
  return `<table><caption hidden>Messages, newest first</caption><thead><tr><th scope="col">Subject</th><th scope="col">To</th><th scope="col">Sent</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function messagePage(mail: KeptMail): string {
  const links = mail.links.map((url) => `<li><a href="${escapeHtml(url)}">${escapeHtml(url)}</a></li>`).join('')
  const body = `<p><a href="/sandbox/mailbox">Mailbox</a></p><h1>${escapeHtml(mail.subject)}</h1>
<p>To ${escapeHtml(mail.to)}, ${timeHtml(mail.sentAt)}</p>
${mail.code === null ? '' : `<h2 id="code">Code</h2><p>Click it to select it.</p><p class="code" tabindex="0" aria-labelledby="code">${escapeHtml(mail.code)}</p>`}
${links === '' ? '' : `<h2>Links</h2><ul>${links}</ul>`}
<h2>Message</h2><iframe src="/sandbox/mailbox/${escapeHtml(mail.id)}/body" title="The message as it looks" sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>
<h2 id="text">As text</h2><pre tabindex="0" aria-labelledby="text">${escapeHtml(mail.text)}</pre>`
  return pageHtml(mail.subject, body)
}

const goneHtml = pageHtml(
  'No such message',
  '<p><a href="/sandbox/mailbox">Mailbox</a></p><h1>No such message</h1><p>It is not in the mailbox of this demo.</p>',
)
