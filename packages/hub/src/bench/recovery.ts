import { openBlackBox } from './black-box.ts'
import { type BenchOptions, type Figure, median, rounded } from './figure.ts'
import { inFolder } from './hub-process.ts'

const payments = 300
const goalMs = 5_000
const slowSchoolMs = 150

/** One worker is killed with -9 in the middle of a burst; how long until all its work runs again, and what was lost. */
async function once(folder: string): Promise<{ afterMs: number; lost: number; repeated: number }> {
  const box = await openBlackBox(
    folder,
    { answerMs: slowSchoolMs, requests: 0, windowMs: 10_000 },
    { BURSAR_ROLE: 'web' },
  )
  try {
    const victim = await box.another({ BURSAR_ROLE: 'worker', PORT: '' })
    const emails = Array.from({ length: payments }, (_, i) => `rescued${i}@bench.example`)
    await Promise.all(emails.map((email) => box.shop.pay(email)))
    // About half through: what it holds now is in every state there is.
    while (box.school.enrolled.size < payments / 3) await new Promise((resolve) => setTimeout(resolve, 5))
    await box.another({ BURSAR_ROLE: 'worker', PORT: '' })
    const killedAt = performance.now()
    await victim.kill('SIGKILL')
    await Promise.race([
      Promise.all(emails.map((email) => box.school.wait(email))),
      new Promise((resolve) => setTimeout(resolve, 60_000)),
    ])
    const lost = emails.filter((email) => !box.school.enrolled.has(email)).length
    const repeated = emails.filter((email) => (box.school.enrolled.get(email)?.times ?? 0) > 1).length
    const last = Math.max(...[...box.school.enrolled.values()].map((e) => e.at))
    return { afterMs: last - killedAt, lost, repeated }
  } finally {
    await box.close()
  }
}

/** P4: after kill -9 of a worker all its work runs again within 5 s, nothing lost. */
export async function recovery(options: BenchOptions): Promise<Figure[]> {
  const runs: { afterMs: number; lost: number; repeated: number }[] = []
  for (let round = 0; round < options.rounds; round++) runs.push(await inFolder(once))
  const after = median(runs.map((r) => r.afterMs))
  const lost = runs.reduce((sum, r) => sum + r.lost, 0)
  const repeated = runs.reduce((sum, r) => sum + r.repeated, 0)
  const row = (figure: string, value: number, unit: string, limit: number, goal: string, holds: boolean): Figure => ({
    bench: 'recovery',
    figure,
    value: rounded(value),
    unit,
    limit,
    ratio: rounded(value / limit),
    goal,
    holds,
  })
  return [
    row('last seat open after kill -9 of a worker', after, 'ms', goalMs, `< ${goalMs} ms (P4)`, after < goalMs),
    row('paid and not enrolled', lost, 'payments', payments * runs.length, '0 (P4)', lost === 0),
    row(
      'enrollment calls repeated',
      repeated,
      'calls',
      payments * runs.length,
      'at most the jobs in flight (32 a kill)',
      repeated <= 32 * runs.length,
    ),
  ]
}
