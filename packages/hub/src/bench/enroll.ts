import { type BlackBox, openBlackBox } from './black-box.ts'
import { type BenchOptions, type Figure, median, quantile, rounded } from './figure.ts'
import { inFolder } from './hub-process.ts'

const schoolAnswerMs = 20
const unlimited = { answerMs: schoolAnswerMs, requests: 0, windowMs: 10_000 }
const documented = { answerMs: schoolAnswerMs, requests: 30, windowMs: 10_000 }

const rate = 50
const goalP50Ms = 25
const goalP99Ms = 100
const inFlight = 64
const goalPerSecond = 600
const goalMemoryMb = 300
const burst = 200
const goalBurstShare = 1.05
const warmUp = 200

let named = 0
const newEmail = () => `buyer${named++}@bench.example`

/** Sends at an even pace and tells each payment's own share: all the time but the school's. */
async function atRate(box: BlackBox, seconds: number): Promise<number[]> {
  const emails = Array.from({ length: rate * seconds }, newEmail)
  const began = performance.now()
  const all: Promise<unknown>[] = []
  for (const [i, email] of emails.entries()) {
    const at = began + (i * 1_000) / rate
    const wait = at - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    all.push(box.shop.pay(email))
  }
  await Promise.all(all)
  await Promise.all(emails.map((email) => box.school.wait(email)))
  return emails.map((email) => {
    const done = box.school.enrolled.get(email)
    const sent = box.shop.sentAt.get(email)
    return done === undefined || sent === undefined ? Number.NaN : done.at - sent - done.schoolMs
  })
}

/** Keeps 64 payments under way; enrolled per second. */
async function flatOut(box: BlackBox, seconds: number): Promise<number> {
  const began = performance.now()
  const end = began + seconds * 1_000
  let enrolled = 0
  const lane = async () => {
    while (performance.now() < end) {
      const email = newEmail()
      await box.shop.pay(email)
      await box.school.wait(email)
      enrolled += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return enrolled / ((performance.now() - began) / 1_000)
}

const figure = (name: string, value: number, unit: string, limit: number, goal: string, holds: boolean): Figure => ({
  bench: 'enroll',
  figure: name,
  value: rounded(value),
  unit,
  limit: rounded(limit),
  ratio: rounded(value / limit),
  goal,
  holds,
})

async function unlimitedFigures(options: BenchOptions): Promise<Figure[]> {
  return inFolder(async (folder) => {
    const box = await openBlackBox(folder, unlimited)
    try {
      for (let i = 0; i < warmUp; i += inFlight) await atRate(box, 1)
      const shares: number[][] = []
      for (let round = 0; round < options.rounds; round++) shares.push(await atRate(box, options.seconds))
      const p50 = median(shares.map((s) => quantile(s, 0.5)))
      const p99 = median(shares.map((s) => quantile(s, 0.99)))
      const rates: number[] = []
      for (let round = 0; round < options.rounds; round++) rates.push(await flatOut(box, options.seconds))
      const { peak } = await box.hub.memory()
      const perSecond = median(rates)
      const repeated = [...box.school.enrolled.values()].filter((e) => e.times > 1).length
      return [
        figure(
          'own share p50 at 50 payments/s',
          p50,
          'ms',
          2 * schoolAnswerMs,
          `< ${goalP50Ms} ms (P3)`,
          p50 < goalP50Ms,
        ),
        figure(
          'own share p99 at 50 payments/s',
          p99,
          'ms',
          2 * schoolAnswerMs,
          `< ${goalP99Ms} ms (P3)`,
          p99 < goalP99Ms,
        ),
        figure(
          'enrolled per second, 64 in flight',
          perSecond,
          '1/s',
          (inFlight * 1_000) / (2 * schoolAnswerMs),
          `>= ${goalPerSecond}/s (P3b)`,
          perSecond >= goalPerSecond,
        ),
        figure('memory peak', peak, 'MB', goalMemoryMb, `<= ${goalMemoryMb} MB (P3b)`, peak <= goalMemoryMb),
        figure('enrollments asked for twice', repeated, 'calls', named, '0', repeated === 0),
      ]
    } finally {
      await box.close()
    }
  })
}

async function limitedFigures(): Promise<Figure[]> {
  return inFolder(async (folder) => {
    const box = await openBlackBox(folder, documented)
    try {
      await box.another({ BURSAR_ROLE: 'worker', PORT: '' })
      await box.another({ BURSAR_ROLE: 'worker', PORT: '' })
      const emails = Array.from({ length: burst }, newEmail)
      const began = performance.now()
      await Promise.all(emails.map((email) => box.shop.pay(email)))
      await Promise.all(emails.map((email) => box.school.wait(email)))
      const took = performance.now() - began
      // 2 calls each, 30 in any 10 s: the first 30 at once, each further 30 ten seconds later.
      const least = (Math.ceil((2 * burst) / documented.requests) - 1) * documented.windowMs
      return [
        figure(
          'last of 200 under 30 calls per 10 s, three workers',
          took / 1_000,
          's',
          least / 1_000,
          `<= ${goalBurstShare} x the limit's own time (P3b)`,
          took <= least * goalBurstShare,
        ),
        figure(
          'answers 429 meanwhile',
          box.school.calls.tooMany,
          'calls',
          box.school.calls.total,
          '0',
          box.school.calls.tooMany === 0,
        ),
      ]
    } finally {
      await box.close()
    }
  })
}

/** P3 and P3b: a paid seat opened, from the signed event to the school's answer. */
export async function enroll(options: BenchOptions): Promise<Figure[]> {
  return [...(await unlimitedFigures(options)), ...(await limitedFigures())]
}
