import { randomBytes } from 'node:crypto'
import { startSmtp } from '#mail/smtp-testing.ts'
import { type BlackBox, openBlackBox } from './black-box.ts'
import { type Buyer, type Buyers, openBuyers } from './buyers.ts'
import { type BenchOptions, type Figure, median, quantile, rounded } from './figure.ts'
import { inFolder } from './hub-process.ts'
import { type BenchProvider, benchKeys, benchPrice, startProvider } from './provider.ts'
import { benchCourse } from './shop.ts'
import { createTimeSpent, type TimeSpent } from './time-spent.ts'

const answerMs = 20
const rate = 50
// Two more requests, a message and its way through a mail server: measured by itself, at a pace this machine bears.
const codeRate = 10
// Nobody reads a code in a mailbox and types it in less; meanwhile the provider’s event is worked off.
const readingMs = 2_000
// The event and the buyer at the same instant do the same work side by side: told at a pace this machine bears.
const instantRate = 20
const minuteSeconds = 60
const goalP99Ms = 100
const preparing = 16
const pollMs = 250
const pollsMax = 40

type Shopfloor = {
  readonly box: BlackBox
  readonly buyers: Buyers
  readonly provider: BenchProvider
  readonly spent: TimeSpent
  close(): Promise<void>
}

async function openShopfloor(folder: string): Promise<Shopfloor> {
  const spent = createTimeSpent()
  const smtp = await startSmtp()
  const secret = randomBytes(32).toString('base64url')
  let hubUrl = ''
  const provider = await startProvider(answerMs, spent, () => hubUrl)
  const { host, port } = smtp.server
  const box = await openBlackBox(
    folder,
    { answerMs, requests: 0, windowMs: 10_000, spent },
    {
      BURSAR_SECRET: secret,
      BURSAR_SMTP_URL: `smtp+plain://${host}:${port}`,
      BURSAR_MAIL_FROM: 'bench@bench.example',
      STRIPE_SECRET_KEY: benchKeys.secret,
      STRIPE_PUBLISHABLE_KEY: benchKeys.publishable,
      STRIPE_API_BASE: provider.url,
      BURSAR_MAP: `${benchPrice}=course:${benchCourse}`,
    },
  )
  hubUrl = box.hub.url
  const buyers = openBuyers(hubUrl, box.databaseUrl, secret, smtp)
  return {
    ...{ box, buyers, provider, spent },
    close: async () => {
      await buyers.close()
      await box.close()
      await provider.close()
      await smtp.close()
    },
  }
}

type Way = {
  /** From the signed event to the answer that says open, without what the simulators took. */
  readonly whole: number
  /** The same of POST /api/onboard-learner alone. */
  readonly onboarding: number
  /** From asking for a code to the session; null when the session was there before. */
  readonly signIn: number | null
  readonly open: boolean
  /** It was open in the first answer. */
  readonly atOnce: boolean
}

let named = 0
const newEmail = () => `learner${named++}@bench.example`

/** Carts, and sessions where they are made beforehand, a few at a time. */
async function prepare({ buyers }: Shopfloor, count: number, withSession: boolean) {
  const prepared: { readonly buyer: Buyer; readonly token: string | null }[] = []
  let next = 0
  const lane = async () => {
    for (;;) {
      const i = next++
      if (i >= count) return
      const buyer = await buyers.begin(newEmail(), i)
      prepared.push({ buyer, token: withSession ? await buyers.session(buyer.email) : null })
    }
  }
  await Promise.all(Array.from({ length: preparing }, lane))
  return prepared
}

/** One buyer: pays, signs in unless that is done, comes back and stands in the course. */
async function onboardOne(floor: Shopfloor, buyer: Buyer, given: string | null, pauseMs: number): Promise<Way> {
  const { provider, buyers, spent } = floor
  const { orderRef, claimSecret, email, from } = buyer
  const paidAt = performance.now()
  const told = await provider.pay(orderRef, email)
  if (told !== 200) throw new Error(`the event was answered ${told}`)
  const asksAt = performance.now()
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  const token = given ?? (await buyers.sessionByCode(buyer))
  const cameAt = performance.now()
  const body = { orderRef, claimSecret }
  let open = false
  let polls = 0
  let doneAt = cameAt
  for (; !open && polls < pollsMax; polls++) {
    if (polls > 0) await new Promise((resolve) => setTimeout(resolve, pollMs))
    const answer = await buyers.post(from, '/api/onboard-learner', body, { authorization: `Bearer ${token}` })
    doneAt = performance.now()
    open = answer.status === 200 && answer.body.status === 'open'
    if (answer.status !== 200 && answer.status !== 409)
      throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`)
  }
  const others = [email, provider.sessionOf(orderRef)]
  return {
    whole: doneAt - paidAt - spent.within(others, paidAt, doneAt),
    onboarding: doneAt - cameAt - spent.within(others, cameAt, doneAt),
    signIn: given === null ? cameAt - asksAt : null,
    open,
    atOnce: open && polls === 1,
  }
}

/** `computedMs`: what the hub's process computed per buyer, the worker and the mail included. */
type Measured = { readonly ways: readonly Way[]; readonly computedMs: number }

/** At an even pace. */
async function atRate(
  floor: Shopfloor,
  perSecond: number,
  seconds: number,
  how: { readonly withSession: boolean; readonly pauseMs: number },
): Promise<Measured> {
  const prepared = await prepare(floor, perSecond * seconds, how.withSession)
  const computed = await floor.box.hub.computed()
  const began = performance.now()
  const all: Promise<Way>[] = []
  for (const [i, { buyer, token }] of prepared.entries()) {
    const wait = began + (i * 1_000) / perSecond - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    all.push(onboardOne(floor, buyer, token, how.pauseMs))
  }
  const ways = await Promise.all(all)
  return { ways, computedMs: ((await floor.box.hub.computed()) - computed) / ways.length }
}

const figure = (name: string, value: number, unit: string, limit: number, goal: string, holds: boolean): Figure => ({
  ...{ bench: 'onboard', figure: name, value: rounded(value), unit, limit: rounded(limit) },
  ...{ ratio: rounded(value / limit), goal, holds },
})

const shares = (ways: readonly Way[], of: (way: Way) => number, q: number) => quantile(ways.map(of), q)

/** What counts is the session that is there; the code is measured beside it, its mail included. */
async function figuresOf(floor: Shopfloor, seconds: number): Promise<Figure[]> {
  // The first hundred pay for cold caches, plans and connections; nobody counts them.
  const person = { withSession: true, pauseMs: readingMs }
  await atRate(floor, rate, 2, person)
  const { ways: counted, computedMs } = await atRate(floor, rate, seconds, person)
  const { peak } = await floor.box.hub.memory()
  const { ways: byCode } = await atRate(floor, codeRate, Math.min(10, seconds), { withSession: false, pauseMs: 0 })
  const below = `< ${goalP99Ms} ms (P3)`
  const row = (name: string, value: number) => figure(name, value, 'ms', goalP99Ms, below, value < goalP99Ms)
  const beside = (name: string, value: number) => figure(name, value, 'ms', goalP99Ms, 'told, not judged', true)
  const { ways: instant } = await atRate(floor, instantRate, Math.min(10, seconds), { withSession: true, pauseMs: 0 })
  const shut = counted.filter((w) => !w.open).length
  const signIns = byCode.map((w) => w.signIn ?? Number.NaN)
  return [
    row(
      'own share of the onboarding, p50 at 50/s',
      shares(counted, (w) => w.onboarding, 0.5),
    ),
    row(
      'own share of the onboarding, p99 at 50/s',
      shares(counted, (w) => w.onboarding, 0.99),
    ),
    figure('paid and not open', shut, 'buyers', counted.length, '0', shut === 0),
    figure(
      'open in the first answer',
      counted.filter((w) => w.atOnce).length,
      'buyers',
      counted.length,
      'told, not judged',
      true,
    ),
    figure(
      'enrollments asked for twice',
      [...floor.box.school.enrolled.values()].filter((e) => e.times > 1).length,
      'calls',
      named,
      'told, not judged',
      true,
    ),
    figure('computed by the hub per buyer', computedMs, 'ms', 1_000 / rate, 'told, not judged', true),
    figure('memory peak', peak, 'MB', 300, 'told, not judged', true),
    beside('sign-in by code with its mail, p50 at 10/s', median(signIns)),
    beside('sign-in by code with its mail, p99 at 10/s', quantile(signIns, 0.99)),
    beside(
      'own share from payment to open, at once, p50 at 20/s',
      shares(instant, (w) => w.whole, 0.5),
    ),
    beside(
      'own share from payment to open, at once, p99 at 20/s',
      shares(instant, (w) => w.whole, 0.99),
    ),
    beside(
      'own share of the onboarding after a code, p99',
      shares(byCode, (w) => w.onboarding, 0.99),
    ),
  ]
}

/** Check 5 of the checkout: 50 buyers a second, each paid, signed in and standing in the course. */
export function onboard(options: BenchOptions): Promise<Figure[]> {
  // One measurement lasts a minute; `--seconds` shortens a trial, and more rounds add nothing but time.
  const seconds = options.seconds === 10 ? minuteSeconds : options.seconds
  return inFolder(async (folder) => {
    const floor = await openShopfloor(folder)
    try {
      return await figuresOf(floor, seconds)
    } finally {
      await floor.close()
    }
  })
}
