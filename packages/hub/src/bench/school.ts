import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { benchCourse } from './shop.ts'
import type { TimeSpent } from './time-spent.ts'

/**
 * The least a school must be for a measurement: it answers the two calls of an enrollment after a set time and notes
 * when. Not the simulator: here the school's own cost must be as small as possible.
 */
export type BenchSchool = {
  readonly url: string
  /** By e-mail: when the enrollment was answered, and how long the school itself took over all calls for it. */
  readonly enrolled: ReadonlyMap<string, { readonly at: number; readonly schoolMs: number; readonly times: number }>
  /** Resolves when this address is enrolled. */
  wait(email: string): Promise<void>
  readonly calls: { total: number; tooMany: number }
  close(): Promise<void>
}

export type SchoolOptions = {
  readonly answerMs: number
  /** Calls allowed in any `windowMs`; 0 = no limit. Over it: 429, counted. */
  readonly requests: number
  readonly windowMs: number
  /** Where the time of each answer is written down, by e-mail. */
  readonly spent?: TimeSpent
}

type User = { readonly email: string; schoolMs: number }

const bodyOf = async (req: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const send = (res: ServerResponse, status: number, body: unknown) => {
  const text = JSON.stringify(body)
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  res.end(text)
}

/** How many calls the window still takes; the rest is answered with 429. */
const limiter = ({ requests, windowMs }: SchoolOptions, calls: { tooMany: number }) => {
  const window: number[] = []
  return (): boolean => {
    if (requests === 0) return true
    const now = performance.now()
    while (window[0] !== undefined && window[0] <= now - windowMs) window.shift()
    if (window.length >= requests) {
      calls.tooMany += 1
      return false
    }
    window.push(now)
    return true
  }
}

const wireUser = (id: string, email: string) => ({
  id,
  email,
  username: email,
  is_admin: false,
  is_instructor: false,
  is_suspended: false,
  is_reporter: false,
  role: { level: 'user', name: 'User' },
  created: 1,
  fields: {},
  tags: [],
})

const token = {
  success: true,
  tokenData: { access_token: 'bench-token-0001', token_type: 'Bearer', expires_in: 86_400 },
  errors: [],
}

/** Who there is, who is enrolled since when, and who waits for it. */
function register() {
  const users = new Map<string, User>()
  const byEmail = new Map<string, string>()
  const enrolled = new Map<string, { at: number; schoolMs: number; times: number }>()
  const waiting = new Map<string, () => void>()
  return {
    enrolled,
    emailOf: (id: string) => users.get(id)?.email ?? '',
    wait: (email: string) =>
      new Promise<void>((resolve) => {
        if (enrolled.has(email)) return resolve()
        waiting.set(email, resolve)
      }),
    find: (res: ServerResponse, email: string) => {
      const id = byEmail.get(email)
      if (id === undefined) return send(res, 404, { error: 'not found' })
      send(res, 200, wireUser(id, email))
    },
    products: (res: ServerResponse, id: string) => {
      const email = users.get(id)?.email
      if (email === undefined) return send(res, 404, { error: 'no such user' })
      const owned = enrolled.has(email) ? [{ id: benchCourse, title: benchCourse, type: 'course' }] : []
      send(res, 200, { data: owned })
    },
    create: (res: ServerResponse, body: string, took: () => number) => {
      const { email } = JSON.parse(body) as { email: string }
      if (byEmail.has(email)) return send(res, 422, { error: 'The email has already been taken.' })
      const id = randomBytes(12).toString('hex')
      users.set(id, { email, schoolMs: took() })
      byEmail.set(email, id)
      send(res, 201, wireUser(id, email))
    },
    enroll: (res: ServerResponse, id: string, took: () => number) => {
      const user = users.get(id)
      if (user === undefined) return send(res, 404, { error: 'no such user' })
      const before = enrolled.get(user.email)
      enrolled.set(user.email, {
        at: performance.now(),
        schoolMs: user.schoolMs + took(),
        times: (before?.times ?? 0) + 1,
      })
      send(res, 200, { success: true })
      waiting.get(user.email)?.()
    },
  }
}

export async function startSchool(options: SchoolOptions): Promise<BenchSchool> {
  const calls = { total: 0, tooMany: 0 }
  const allowed = limiter(options, calls)
  const { enrolled, emailOf, wait, find, create, enroll, products } = register()

  const answer = (res: ServerResponse, method: string | undefined, path: string, body: string, began: number) => {
    const took = () => performance.now() - began
    const id = /^\/v2\/users\/([0-9a-f]+)\/enrollment$/.exec(path)?.[1]
    if (id !== undefined) return enroll(res, id, took)
    const asked = /^\/v2\/users\/([0-9a-f]+)\/products$/.exec(path)?.[1]
    if (asked !== undefined) return products(res, asked)
    if (method === 'POST' && path === '/v2/users') return create(res, body, took)
    find(res, decodeURIComponent(/^\/v2\/users\/(.+)$/.exec(path)?.[1] ?? ''))
  }

  /** The address a call is about, from its path, its body or the user it names. */
  const aboutWhom = (path: string, body: string): string => {
    const named = decodeURIComponent(/^\/v2\/users\/([^/]+)/.exec(path)?.[1] ?? '')
    if (named !== '') return named.includes('@') ? named : emailOf(named)
    return body.startsWith('{') ? ((JSON.parse(body) as { email?: string }).email ?? '') : ''
  }

  const server = createServer((req, res) => {
    const began = performance.now()
    const path = (req.url ?? '').replace('/admin/api', '').replace(/\?.*$/, '')
    void bodyOf(req).then((body) => {
      if (path.startsWith('/oauth2')) return send(res, 200, token)
      calls.total += 1
      if (!allowed()) return send(res, 429, { error: 'Too many requests' })
      setTimeout(() => {
        answer(res, req.method, path, body, began)
        options.spent?.add(aboutWhom(path, body), began, performance.now())
      }, options.answerMs)
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    enrolled,
    calls,
    wait,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
