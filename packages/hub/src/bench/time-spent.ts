type Span = readonly [began: number, ended: number]

/** How long others took, by what it was for: what the program waits for and cannot make faster. */
export type TimeSpent = {
  add(about: string, began: number, ended: number): void
  /** Time within [from, to] in which at least one of them was answering; answers at the same time count once. */
  within(about: readonly string[], from: number, to: number): number
}

export function createTimeSpent(): TimeSpent {
  const spans = new Map<string, Span[]>()
  return {
    add: (about, began, ended) => {
      const known = spans.get(about)
      if (known === undefined) spans.set(about, [[began, ended]])
      else known.push([began, ended])
    },
    within: (about, from, to) => {
      let covered = from
      let sum = 0
      const sorted = about.flatMap((name) => spans.get(name) ?? []).toSorted((a, b) => a[0] - b[0])
      for (const [began, ended] of sorted) {
        const start = Math.max(began, covered)
        const end = Math.min(ended, to)
        if (end <= start) continue
        sum += end - start
        covered = end
      }
      return sum
    },
  }
}
