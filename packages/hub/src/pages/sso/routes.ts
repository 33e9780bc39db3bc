import type { FastifyInstance, FastifyReply } from 'fastify'
import { sql } from '#db/sql.ts'
import { askSchool } from '#entitlements/launch.ts'
import { pathInSchool, schoolOrigins } from '#entitlements/launch-path.ts'
import { vouchesFor } from '#entitlements/launch-seat.ts'
import { mailboxIssuer } from '#identity/people.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { field, goOn, ownForm, type PageRequest, pageScope, refuse, sendPage } from '../answer.ts'
import { html, paragraph } from '../html.ts'
import type { Page } from '../page.ts'
import { buttonForm, buttonLink, card } from '../parts.ts'
import { signInPath } from '../return-path.ts'
import { texts } from '../texts.ts'
import { type PageDeps, visitorOf } from '../visitor.ts'

const t = texts.sso
const connectionPattern = /^con_[0-9a-hjkmnp-tv-z]{26}$/

type School = {
  readonly id: string
  readonly organization: string
  readonly slug: string
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
}

async function schoolById({ app }: PageDeps, id: string): Promise<School | null> {
  if (!connectionPattern.test(id)) return null
  const rows = await app.db.direct<School>(sql('sso_school')`
    select k.id, k.organization_id as organization, o.slug, k.name, k.config
    from connection k join organization o on o.id = k.organization_id
    where k.id = ${id} and k.category = 'lms' and k.state = 'active'`)
  return rows[0] ?? null
}

type Account = {
  readonly account: string
  readonly email: string
  readonly privileged: boolean
  readonly proven: boolean
}

/** The account of this person at this school that may be entered; null when there is none. */
async function accountOf({ app }: PageDeps, school: School, signedIn: SignedIn): Promise<Account | null> {
  if (signedIn.organization !== null && signedIn.organization !== school.organization) return null
  const rows = await app.db.direct<Account>(sql('sso_account')`
    select a.external_id as account, a.email, a.privileged,
      (a.created_by_hub or exists (select from identity m where m.organization_id = a.organization_id
        and m.person_id = a.person_id and m.proven_at is not null
          and (m.issuer = ${mailboxIssuer} and m.subject = lower(a.email) or lower(m.email) = lower(a.email)))) as proven
    from identity i join person p on p.id = i.person_id join lms_account a on a.person_id = coalesce(p.merged_into, p.id)
    where i.organization_id = ${school.organization} and i.issuer = ${signedIn.issuer} and i.subject = ${signedIn.subject}
      and a.connection_id = ${school.id} and a.external_id is not null`)
  const [found] = rows
  if (found === undefined || found.privileged) return null
  return found.proven || vouchesFor(signedIn, found.email) ? found : null
}

/**
 * The page a school sends its people to when they want in ("custom SSO page"): `?action=login|signup|passwordreset&
 * redirectUrl=`. GET shows who would go where and mints nothing. `redirectUrl` must lie in the school itself.
 */
export function ssoRoutes(fastify: FastifyInstance, deps: PageDeps): void {
  const page = pageScope(fastify, 'sso')
  type Told = { readonly school: School; readonly path: string | null }
  const read = async (request: PageRequest, source: unknown): Promise<Told | 'unknown' | 'foreign'> => {
    const school = await schoolById(deps, request.params.connectionId ?? '')
    if (school === null) return 'unknown'
    const wish = field(source, 'redirectUrl')
    const path = wish === null ? null : pathInSchool(school.config, wish)
    return wish !== null && path === null ? 'foreign' : { school, path }
  }
  const wrong = (request: PageRequest, reply: FastifyReply, what: 'unknown' | 'foreign'): FastifyReply =>
    refuse(request, reply, what === 'unknown' ? 'not_found' : 'input_invalid', {
      title: t[what].title,
      body: card(paragraph(t[what].text)),
    })

  fastify.get(
    '/sso/:connectionId',
    page(async (request, reply) => {
      const told = await read(request, request.query)
      if (typeof told === 'string') return wrong(request, reply, told)
      const visitor = await visitorOf(deps, request)
      return sendPage(reply, await pageFor(deps, { ...told, wish: field(request.query, 'redirectUrl') }, visitor))
    }),
  )
  fastify.post(
    '/sso/:connectionId',
    page(
      ownForm(deps.app.publicUrl, async (request, reply) => {
        const told = await read(request, request.body)
        if (typeof told === 'string') return wrong(request, reply, told)
        const { school, path } = told
        const visitor = await visitorOf(deps, request)
        const account = visitor === null ? null : await accountOf(deps, school, visitor)
        if (visitor === null || account === null)
          return sendPage(reply, {
            ...(await pageFor(deps, { ...told, wish: field(request.body, 'redirectUrl') }, visitor)),
            status: 403,
          })
        const where = { organization: school.organization, connectionId: school.id, schoolConfig: school.config }
        // Always a login link: a school that asks this page is not the one that signs its people in by OpenID Connect.
        const how = { course: null, path, signsIn: false }
        const launched = await askSchool(deps.app, { ...where, account: account.account }, how)
        if (launched.ok) return goOn(reply, launched.url, schoolOrigins(school.config))
        const text = launched.reason === 'refused' ? texts.launch.refused : texts.launch.unavailable('')
        return refuse(request, reply, 'launch_unavailable', { title: school.name, body: card(paragraph(text)) })
      }),
    ),
  )
}

type At = { readonly school: School; readonly wish: string | null }

async function pageFor(deps: PageDeps, { school, wish }: At, visitor: SignedIn | null): Promise<Page> {
  const title = t.title(school.name)
  const query = wish === null ? '' : `?${new URLSearchParams({ redirectUrl: wish })}`
  const signIn = signInPath(`/sso/${school.id}${query}`, null, school.slug)
  if (visitor === null)
    return { title, body: card(paragraph(t.first(school.name)), buttonLink(signIn, texts.signIn.title)) }
  if ((await accountOf(deps, school, visitor)) === null)
    return {
      title,
      body: card(paragraph(t.noAccount(school.name)), buttonLink(signIn, texts.signIn.otherAddress, true)),
    }
  return {
    title,
    formsTo: schoolOrigins(school.config),
    body: card(
      paragraph(t.ready(visitor.email ?? visitor.subject)),
      html`${buttonForm(`/sso/${school.id}`, t.button(school.name), { fields: wish === null ? {} : { redirectUrl: wish } })}`,
    ),
  }
}
