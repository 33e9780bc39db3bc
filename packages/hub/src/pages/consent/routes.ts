import type { FastifyInstance, FastifyReply } from 'fastify'
import { builtInIssuer } from '#identity/signed-in.ts'
import { field, goOn, ownForm, type PageRequest, pageScope, sendPage } from '../answer.ts'
import { askProvider } from '../ask-provider.ts'
import { html, paragraph } from '../html.ts'
import type { Page } from '../page.ts'
import { card } from '../parts.ts'
import { texts } from '../texts.ts'
import { type PageDeps, visitorOf } from '../visitor.ts'

const t = texts.consent

const gone: Page = { title: t.gone.title, status: 400, body: card(paragraph(t.gone.text)) }

const queryOf = (request: PageRequest): string => {
  const at = request.url.indexOf('?')
  return at < 0 ? '' : request.url.slice(at + 1)
}

const isScope = (name: string): name is keyof typeof t.scopes => Object.hasOwn(t.scopes, name)

/** Whether an application may know somebody who signed in here for it. The answer is the library's to check and keep. */
export function consentRoutes(fastify: FastifyInstance, deps: PageDeps): void {
  const page = pageScope(fastify, 'consent')
  const { publicUrl } = deps.app

  const show = async (request: PageRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const query = queryOf(request)
    const of = new URLSearchParams(query)
    const visitor = await visitorOf(deps, request)
    if (visitor === null || visitor.issuer !== builtInIssuer(deps.app)) return sendPage(reply, gone)
    const path = `/oauth2/public-client?${new URLSearchParams({ client_id: of.get('client_id') ?? '' })}`
    const found = await askProvider(fastify, request, { method: 'GET', path, publicUrl })
    if (found.status !== 200) return sendPage(reply, gone)
    const named = found.json.client_name
    const client = typeof named === 'string' && named !== '' ? named : (of.get('client_id') ?? '')
    const back = URL.parse(of.get('redirect_uri') ?? '')?.origin
    const scopes = (of.get('scope') ?? '').split(' ').filter((s) => s !== '')
    return sendPage(reply, {
      title: t.title(client),
      ...(back === undefined ? {} : { formsTo: [back] }),
      body: card(
        paragraph(t.how(client, visitor.email ?? visitor.subject)),
        html`<ul>${scopes.map((s) => html`<li>${isScope(s) ? t.scopes[s] : s}</li>`)}</ul>`,
        html`<form method="post" action="/consent?${query}" class="row"><button type="submit" name="answer" value="allow">${t.allow}</button><button type="submit" name="answer" value="refuse" class="quiet">${t.refuse}</button></form>`,
      ),
    })
  }

  fastify.get('/consent', page(show))
  fastify.post(
    '/consent',
    page(
      ownForm(publicUrl, async (request, reply) => {
        const query = queryOf(request)
        const body = { accept: field(request.body, 'answer') === 'allow', oauth_query: query }
        const answer = await askProvider(fastify, request, { method: 'POST', path: '/oauth2/consent', body, publicUrl })
        const { url } = answer.json
        if (answer.status !== 200 || typeof url !== 'string') return sendPage(reply, gone)
        return goOn(reply, url, [new URL(url).origin])
      }),
    ),
  )
}
