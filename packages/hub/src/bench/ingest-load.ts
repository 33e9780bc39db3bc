import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '@bursar/kit/clock.ts'
import { signStripe } from '@bursar/kit/signature/stripe.ts'

/** What the sender of `bench ingest` shall do; it is a thread of its own and knows only HTTP. */
export type LoadOrder = {
  readonly port: number
  readonly path: string
  readonly secret: string
  /** Starts the event ids, so that no two runs share one. */
  readonly run: string
  readonly bodyBytes: number
  readonly connections: number
  readonly seconds: number
  /** Deliveries per second whatever the answers do; null sends the next one when one is answered. */
  readonly perSecond: number | null
  /** Made and signed before the clock starts. */
  readonly events: number
}

export type LoadReport = {
  readonly answered: number
  readonly failed: number
  /** Milliseconds from the moment a delivery was due until its answer. */
  readonly latencies: Float64Array
  readonly elapsedMs: number
}

/** An event of about this size, as compressible as Stripe's: the same keys over and over, few equal values. */
export function makeBody(id: string, bytes: number): Buffer {
  const lines: unknown[] = []
  const event = {
    id,
    object: 'event',
    type: 'customer.created',
    created: 1_767_603_600,
    livemode: true,
    api_version: '2026-10-28.endive',
    data: { object: { object: 'customer', id: 'cus_1', lines } },
  }
  const line = () => ({ id: `li_${randomBytes(12).toString('base64url')}`, object: 'line_item', currency: 'eur' })
  const bare = JSON.stringify(event).length
  const each = JSON.stringify(line()).length + 1
  lines.push(...Array.from({ length: Math.max(0, Math.floor((bytes - bare) / each)) }, line))
  return Buffer.from(JSON.stringify(event))
}

function makeRequests(order: LoadOrder): Buffer[] {
  const signedAt = Math.floor(systemClock.now() / 1000)
  return Array.from({ length: order.events }, (_, i) => {
    const body = makeBody(`evt_${order.run}_${i}`, order.bodyBytes)
    const head = [
      `POST ${order.path} HTTP/1.1`,
      'host: 127.0.0.1',
      'content-type: application/json; charset=utf-8',
      `stripe-signature: ${signStripe(body, order.secret, signedAt)}`,
      `content-length: ${body.length}`,
    ].join('\r\n')
    return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body])
  })
}

const open = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.setNoDelay(true)))
    socket.once('error', reject)
  })

async function run(order: LoadOrder): Promise<LoadReport> {
  const requests = makeRequests(order)
  const sockets = await Promise.all(Array.from({ length: order.connections }, () => open(order.port)))
  const latencies = new Float64Array(order.events)
  const idle = [...sockets]
  const due: number[] = []
  let next = 0
  let answered = 0
  let failed = 0
  const startedAt = performance.now()
  const endAt = startedAt + order.seconds * 1000

  const sendOn = (socket: Socket, dueAt: number): void => {
    const request = requests[next++]
    if (request === undefined) return
    socket.once('data', (answer: Buffer) => {
      // Answers are far below one segment, so one chunk is one answer.
      const now = performance.now()
      if (answer.subarray(9, 12).toString('latin1') === '200') latencies[answered++] = now - dueAt
      else failed += 1
      if (order.perSecond === null) {
        if (now < endAt) sendOn(socket, now)
        return
      }
      const waiting = due.shift()
      if (waiting === undefined) idle.push(socket)
      else sendOn(socket, waiting)
    })
    socket.write(request)
  }

  if (order.perSecond === null) {
    for (const socket of sockets) sendOn(socket, startedAt)
    while (performance.now() < endAt) await systemClock.sleep(5)
  } else {
    for (let planned = 0; performance.now() < endAt; ) {
      const shouldBe = Math.floor(((performance.now() - startedAt) / 1000) * order.perSecond)
      for (; planned < shouldBe; planned++) {
        const dueAt = startedAt + (planned / order.perSecond) * 1000
        const socket = idle.pop()
        if (socket === undefined) due.push(dueAt)
        else sendOn(socket, dueAt)
      }
      await systemClock.sleep(1)
    }
    // What nobody had a connection for by the end counts with the time it has waited.
    const now = performance.now()
    for (const dueAt of due.splice(0)) latencies[answered++] = now - dueAt
  }
  const elapsedMs = performance.now() - startedAt
  const report = { answered, failed, latencies: latencies.slice(0, answered), elapsedMs }
  for (const socket of sockets) socket.destroy()
  return report
}

if (parentPort !== null) {
  const port = parentPort
  run(workerData as LoadOrder).then((report) => port.postMessage(report))
}
