import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock, Instant } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import { createFaults, type Fault, type Faults } from './faults.ts'

export type SimRequest = {
  readonly method: string
  readonly path: string
  /** From the pattern: `/v2/users/:id` gives `params.id`, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** A body that is an object is sent as JSON; a string or buffer as it is. */
export type SimReply = {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export type SimRoute = {
  readonly method: string
  readonly pattern: string
  readonly handle: (request: SimRequest) => SimReply | Promise<SimReply>
}

export type SimLogEntry = {
  readonly at: Instant
  readonly method: string
  readonly path: string
  readonly status: number | null
  readonly fault: string | null
}

export type SimOptions = {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly routes: readonly SimRoute[]
  /** Acts as the outside person: pay, refund, complete a course. Patterns are under /_sim/. */
  readonly control?: readonly SimRoute[]
  /** Asked before every route outside /_sim/: authentication and rate limits. A reply ends the request. */
  readonly guard?: (request: SimRequest) => SimReply | null
  readonly notFound?: (request: SimRequest) => SimReply
  /** Everything it knows, for GET /_sim/state. */
  readonly state: () => unknown
  readonly reset: () => void
}

export type Simulator = {
  readonly name: string
  readonly url: string
  readonly port: number
  readonly faults: Faults
  /** The last 10,000 requests, oldest first, without those to /_sim/. */
  log(): readonly SimLogEntry[]
  clearLog(): void
  /** How many requests were answered, control calls included: stands still while nobody asks. */
  served(): number
  close(): Promise<void>
}

const bodyLimitBytes = 2 * 1024 * 1024
const logLimit = 10_000

const readBody = async (req: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of req) {
    size += chunk.length
    if (size > bodyLimitBytes) throw new Error('body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

type Compiled = { route: SimRoute; test: RegExp; names: string[] }

const compile = (route: SimRoute): Compiled => {
  const names: string[] = []
  const source = route.pattern.replace(/:([a-zA-Z]+)/g, (_, name: string) => {
    names.push(name)
    return '([^/]+)'
  })
  return { route, names, test: new RegExp(`^${source}/?$`) }
}

const find = (routes: readonly Compiled[], method: string, path: string) => {
  for (const compiled of routes) {
    if (compiled.route.method !== method) continue
    const match = compiled.test.exec(path)
    if (match === null) continue
    const params = Object.fromEntries(compiled.names.map((name, i) => [name, decodeURIComponent(match[i + 1] ?? '')]))
    return { route: compiled.route, params }
  }
  return null
}

function send(res: ServerResponse, reply: SimReply, cut = false): void {
  const raw = typeof reply.body === 'string' || Buffer.isBuffer(reply.body)
  const text = reply.body === undefined ? '' : raw ? (reply.body as string | Buffer) : JSON.stringify(reply.body)
  const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text)
  res.writeHead(reply.status, {
    ...(raw || text === '' ? {} : { 'content-type': 'application/json' }),
    ...reply.headers,
  })
  if (!cut) return void res.end(bytes)
  res.write(bytes.subarray(0, Math.floor(bytes.length / 2)))
  res.destroy()
}

const faultRoutes = (faults: Faults, options: SimOptions, log: SimLogEntry[]): SimRoute[] => [
  { method: 'GET', pattern: '/_sim/state', handle: () => ({ status: 200, body: options.state() }) },
  { method: 'GET', pattern: '/_sim/log', handle: () => ({ status: 200, body: { name: options.name, requests: log } }) },
  { method: 'GET', pattern: '/_sim/faults', handle: () => ({ status: 200, body: { faults: faults.list() } }) },
  {
    method: 'POST',
    pattern: '/_sim/faults',
    handle: (request) => {
      const input = JSON.parse(request.body.toString() || '{"faults":[]}') as { faults?: Fault[] } | Fault
      faults.set('faults' in input && input.faults !== undefined ? input.faults : 'kind' in input ? [input] : [])
      return { status: 200, body: { faults: faults.list() } }
    },
  },
  {
    method: 'POST',
    pattern: '/_sim/reset',
    handle: () => {
      faults.clear()
      log.length = 0
      options.reset()
      return { status: 200, body: { ok: true } }
    },
  },
]

/** Performs one request under one fault: what is done, and what the caller gets to see. */
async function misbehave(fault: Fault, res: ServerResponse, work: () => Promise<SimReply>): Promise<number | null> {
  switch (fault.kind) {
    case 'status':
      send(res, {
        status: fault.status ?? 500,
        body: fault.body ?? { error: 'Server Error' },
        headers: fault.headers ?? {},
      })
      return fault.status ?? 500
    case 'html':
      send(res, { status: 200, body: '<!doctype html><title>School</title>', headers: { 'content-type': 'text/html' } })
      return 200
    case 'hang':
      return null
    case 'reset':
      res.destroy()
      return null
    case 'hang_after_commit':
      await work()
      return null
    case 'reset_after_commit':
      await work()
      res.destroy()
      return null
    case 'truncate':
      send(res, await work(), true)
      return null
    case 'slow': {
      await new Promise((resolve) => setTimeout(resolve, fault.delayMs ?? 1_000))
      const reply = await work()
      send(res, reply)
      return reply.status
    }
  }
}

/** One request: a control call, or a route behind the guard and whatever fault is due; then the log. */
function createServe(options: SimOptions, faults: Faults, log: SimLogEntry[]) {
  const routes = options.routes.map(compile)
  const control = [...faultRoutes(faults, options, log), ...(options.control ?? [])].map(compile)
  const notFound = options.notFound ?? (() => ({ status: 404, body: { error: 'not found' } }))

  return async (req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url ?? '/', 'http://simulator')
    const method = req.method ?? 'GET'
    const body = await readBody(req)
    const own = url.pathname.startsWith('/_sim/')
    const hit = find(own ? control : routes, method, url.pathname)
    const request: SimRequest = {
      method,
      path: url.pathname,
      params: hit?.params ?? {},
      query: url.searchParams,
      headers: req.headers,
      body,
    }
    if (own)
      return send(
        res,
        hit === null ? { status: 404, body: { error: 'no such control call' } } : await hit.route.handle(request),
      )
    const work = async () =>
      options.guard?.(request) ?? (hit === null ? notFound(request) : await hit.route.handle(request))
    const fault = faults.pick(method, url.pathname)
    const at = options.clock.now()
    let status: number | null
    if (fault === null) {
      const reply = await work()
      send(res, reply)
      status = reply.status
    } else {
      status = await misbehave(fault, res, work)
    }
    log.push({ at, method, path: url.pathname + url.search, status, fault: fault?.kind ?? null })
    if (log.length > logLimit) log.splice(0, log.length - logLimit)
  }
}

/**
 * Starts a fake of somebody else's system on loopback: its routes, a log, faults on request and control calls under
 * /_sim/. The fake speaks HTTP, so what is tested is what runs.
 */
export async function startSimulator(options: SimOptions, port = 0): Promise<Simulator> {
  const faults = createFaults(options)
  const log: SimLogEntry[] = []
  const serve = createServe(options, faults, log)
  let served = 0
  const server: Server = createServer((req, res) => {
    serve(req, res)
      .catch((error: unknown) => {
        if (!res.headersSent)
          send(res, {
            status: 500,
            body: { error: `simulator fault: ${error instanceof Error ? error.message : String(error)}` },
          })
        else res.destroy()
      })
      .finally(() => {
        served += 1
      })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const actual = (server.address() as AddressInfo).port
  return {
    name: options.name,
    url: `http://127.0.0.1:${actual}`,
    port: actual,
    faults,
    log: () => log,
    clearLog: () => {
      log.length = 0
    },
    served: () => served,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
