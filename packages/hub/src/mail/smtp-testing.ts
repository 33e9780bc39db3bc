import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import type { SmtpServer } from './smtp-address.ts'

export type Received = {
  readonly to: readonly string[]
  readonly from: string
  readonly source: string
  /** The head alone, unfolded. */
  readonly head: readonly string[]
}

/** How the server answers the next messages; `times` left out: all of them. */
export type SmtpFault = {
  readonly at: 'MAIL' | 'RCPT' | 'DATA'
  /** A reply code; `drop` closes the connection after the last byte; `hang` says nothing. */
  readonly answer: number | 'drop' | 'hang'
  readonly to?: string
  times?: number
}

export type SmtpHouse = {
  readonly server: SmtpServer
  readonly received: readonly Received[]
  readonly connections: () => number
  fault(fault: SmtpFault | null): void
  close(): Promise<void>
}

const replyOf = (answer: number) => Object.assign(new Error('as asked'), { responseCode: answer })

function createFaults() {
  let fault: SmtpFault | null = null
  const struck = (at: SmtpFault['at'], to?: string): SmtpFault['answer'] | null => {
    if (fault === null || fault.at !== at || (fault.to !== undefined && to !== fault.to)) return null
    if (fault.times !== undefined && fault.times-- <= 0) return null
    return fault.answer
  }
  return {
    struck,
    set: (next: SmtpFault | null) => {
      fault = next
    },
    judge: (at: SmtpFault['at'], done: (error?: Error | null) => void, to?: string) => {
      const answer = struck(at, to)
      if (answer !== 'hang') done(typeof answer === 'number' ? replyOf(answer) : null)
    },
  }
}

/** A real SMTP server on loopback that takes everything and misbehaves on request. */
export async function startSmtp(
  options: { user?: string; password?: string; starttls?: boolean } = {},
): Promise<SmtpHouse> {
  const received: Received[] = []
  let connections = 0
  const faults = createFaults()
  const { user } = options
  const smtp = new SMTPServer({
    authOptional: user === undefined,
    disabledCommands: options.starttls === true ? [] : ['STARTTLS'],
    allowInsecureAuth: true,
    logger: false,
    onAuth: (auth, _session, done) =>
      auth.username === user && auth.password === options.password
        ? done(null, { user: auth.username })
        : done(Object.assign(new Error('no'), { responseCode: 535 })),
    onConnect: (_session, done) => {
      connections += 1
      done()
    },
    onMailFrom: (_address, _session, done) => faults.judge('MAIL', done),
    onRcptTo: (address, _session, done) => faults.judge('RCPT', done, address.address),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const [first] = session.envelope.rcptTo
        const answer = faults.struck('DATA', first?.address)
        if (typeof answer === 'number') return done(replyOf(answer))
        const { mailFrom } = session.envelope
        const source = Buffer.concat(chunks).toString()
        received.push({
          to: session.envelope.rcptTo.map((r) => r.address),
          from: mailFrom === false ? '' : mailFrom.address,
          source,
          head: headOf(source),
        })
        if (answer === 'drop') return dropAll()
        if (answer !== 'hang') done()
      })
    },
  })
  const dropAll = () => {
    for (const connection of smtp.connections)
      (connection as unknown as { _socket: { destroy(): void } })._socket.destroy()
  }
  smtp.on('error', () => undefined) // A client that went away is what some of these tests are about.
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve))
  const { port } = smtp.server.address() as AddressInfo
  return {
    server: { host: '127.0.0.1', port, line: 'plain', user: user ?? null, password: options.password ?? null },
    received,
    connections: () => connections,
    fault: faults.set,
    close: async () => {
      // Its own farewell waits for clients that are gone; nobody needs it.
      smtp.close()
      dropAll()
    },
  }
}

const headOf = (source: string): readonly string[] =>
  (source.split('\r\n\r\n')[0] ?? '').replace(/\r\n[ \t]+/g, ' ').split('\r\n')

/** One header of a message, by name. */
export const header = (mail: Received | undefined, name: string): string | undefined =>
  mail?.head.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}: `))?.slice(name.length + 2)
