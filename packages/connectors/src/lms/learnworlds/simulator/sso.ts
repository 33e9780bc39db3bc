import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { cookieOf, html, htmlText, originOf, sessionCookie } from './html.ts'
import { progressOf, visit } from './learning.ts'
import { findUser, invalid, missing, readBody, textOf } from './respond.ts'
import { hexId, openCourses, type School, type SimUser } from './state.ts'
import { addUser } from './users.ts'

const loginsMax = 50_000

function login(school: School, request: SimRequest): SimReply {
  const body = readBody(request)
  const redirectUrl = textOf(body, 'redirectUrl') ?? '/'
  const id = textOf(body, 'user_id')
  const email = textOf(body, 'email')
  if (id === null && email === null) return invalid('email', 'An email or a user_id is required.')
  let user = findUser(school, id ?? email ?? '')
  if (user === undefined && id === null && email !== null) {
    const username = textOf(body, 'username')
    if (username === null) return invalid('username', 'The username is required.')
    user = addUser(school, { email, username })
  }
  if (user === undefined) return missing
  const token = `${hexId(school.random)}${hexId(school.random)}`
  const { logins } = school.state
  logins.set(token, { userId: user.id, redirectUrl, usedAt: null })
  const oldest = logins.size > loginsMax ? logins.keys().next().value : undefined
  if (oldest !== undefined) logins.delete(oldest)
  const url = `${originOf(school, request)}/sso/${token}`
  return { status: 200, body: { success: true, url, user_id: user.id } }
}

const courseIn = (path: string): string | null => {
  const match = /^\/course\/([^/?#]+)/.exec(path)
  return match?.[1] === undefined ? null : decodeURIComponent(match[1])
}

/** The login link as a browser opens it: once. */
function open(school: School, request: SimRequest): SimReply {
  const entry = school.state.logins.get(request.params.token ?? '')
  if (entry === undefined || entry.usedAt !== null)
    return html(school, 'Link used', '<h1>This login link was used already</h1><p>Ask for a new one.</p>', 410)
  entry.usedAt = school.clock.now()
  const user = school.state.users.get(entry.userId)
  if (user === undefined || user.suspended) return html(school, 'No access', '<h1>This account has no access</h1>', 403)
  user.lastLogin = school.clock.now()
  const target = new URL(entry.redirectUrl, originOf(school, request))
  const path = `${target.pathname}${target.search}`
  const course = courseIn(target.pathname)
  if (course !== null && openCourses(school, user.id).has(course)) visit(school, user, course)
  const body = `<h1>Logged in as ${htmlText(user.username)}</h1>${courseCard(school, user, course)}
<p><a href="${htmlText(path)}">Go on to ${htmlText(path)}</a></p>`
  return html(school, 'Logged in', body, 200, { 'set-cookie': sessionCookie(user.id) })
}

function courseCard(school: School, user: SimUser, courseId: string | null): string {
  const course = school.state.courses.get(courseId ?? '')
  if (course === undefined) return ''
  if (!openCourses(school, user.id).has(course.id)) return `<h2>${htmlText(course.title)}</h2><p>Not enrolled.</p>`
  const row = progressOf(school, user.id, course.id)
  const total = course.units.length
  const post = (path: string, body: unknown) =>
    htmlText(
      `fetch('${path}',{method:'POST',body:JSON.stringify(${JSON.stringify(body)})}).then(()=>location.assign('/course/${encodeURIComponent(course.id)}'))`,
    )
  const next = Math.min(100, Math.ceil(((row.done + 1) * 100) / total))
  return `<h2>${htmlText(course.title)}</h2>
<p data-progress="${row.done}/${total}"><progress max="${total}" value="${row.done}"></progress> ${row.done} of ${total} lessons done</p>
<p><button onclick="${post(`/_sim/learners/${user.id}/progress`, { course: course.id, percent: next })}">Finish the next lesson</button>
<button onclick="${post(`/_sim/learners/${user.id}/complete`, { course: course.id })}">Finish the course</button></p>`
}

function coursePage(school: School, request: SimRequest): SimReply {
  const course = school.state.courses.get(request.params.id ?? '')
  if (course === undefined) return html(school, 'Not found', '<h1>There is no such course</h1>', 404)
  const user = school.state.users.get(cookieOf(request, 'school_user') ?? '')
  if (user === undefined) {
    const { oidc, page } = school.signIn
    const start = `/login?redirectUrl=${encodeURIComponent(`${originOf(school, request)}${request.path}`)}`
    const link = oidc === null && page === null ? '' : `<p><a href="${htmlText(start)}">Sign in</a></p>`
    return html(school, course.title, `<h1>${htmlText(course.title)}</h1><p>Not logged in.</p>${link}`)
  }
  if (openCourses(school, user.id).has(course.id)) visit(school, user, course.id)
  return html(
    school,
    course.title,
    `<p>Logged in as ${htmlText(user.username)}</p>${courseCard(school, user, course.id)}`,
  )
}

function productPage(school: School, request: SimRequest): SimReply {
  const id = request.params.id ?? ''
  const product = school.state.bundles.get(id) ?? school.state.plans.get(id)
  if (product === undefined) return html(school, 'Not found', '<h1>There is no such product</h1>', 404)
  const items = product.courses
    .map(
      (c) =>
        `<li><a href="/course/${encodeURIComponent(c)}">${htmlText(school.state.courses.get(c)?.title ?? c)}</a></li>`,
    )
    .join('')
  return html(school, product.title, `<h1>${htmlText(product.title)}</h1><ul>${items}</ul>`)
}

export const ssoRoutes = (school: School): SimRoute[] => [
  { method: 'POST', pattern: '/admin/api/sso', handle: (request) => login(school, request) },
  { method: 'GET', pattern: '/sso/:token', handle: (request) => open(school, request) },
  { method: 'GET', pattern: '/course/:id', handle: (request) => coursePage(school, request) },
  { method: 'GET', pattern: '/bundle/:id', handle: (request) => productPage(school, request) },
  { method: 'GET', pattern: '/plan/:id', handle: (request) => productPage(school, request) },
]
