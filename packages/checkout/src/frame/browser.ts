/** Time and network, as a browser has them. The kit of the hub does not run here; everything else asks this file. */
export const nowMs = (): number => Date.now()

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

export const send = (path: string, options: RequestInit): Promise<Response> => fetch(path, options)

/** Resolves at once while people look, else when they look again: nobody polls for a hidden page. */
export const visible = (): Promise<void> =>
  document.hidden
    ? new Promise((resolve) => {
        document.addEventListener('visibilitychange', () => resolve(visible()), { once: true })
      })
    : Promise.resolve()

const firstPauseMs = 500
const pauseMsMax = 5_000

/** Asks again and again, 0.5 s to 5 s apart, until the answer is enough or the signal says stop. */
export async function poll(ask: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let pause = firstPauseMs; !signal.aborted; pause = Math.min(pause * 1.5, pauseMsMax)) {
    await visible()
    if (signal.aborted || (await ask())) return
    await sleep(pause)
  }
}

const dayMs = 24 * 3_600_000
const morningHour = 8

/** The day so many days from now where the visitor is, as date fields write it. */
export const dayOf = (daysAhead: number): string => {
  const date = new Date(nowMs() + daysAhead * dayMs)
  // In Swedish, a date is written year-month-day.
  return date.toLocaleDateString('sv')
}

/** The morning of such a day where the visitor is, in UTC. */
export const morningOf = (day: string): string => {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  return new Date(year, month - 1, date, morningHour).toISOString()
}
