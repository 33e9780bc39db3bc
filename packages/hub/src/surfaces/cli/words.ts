/** `entitlementId` as it is typed: `entitlement-id`. Dots stay. */
export const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `lastUsedAt` as it is read: `Last used at`. */
export const label = (name: string): string => {
  const words = kebab(name).replaceAll(/[-_]/g, ' ')
  return words.slice(0, 1).toUpperCase() + words.slice(1)
}

/** How many letters must change to make one word the other. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

const suggestionsMax = 3

/** The known words closest to one that is not known; a word that contains it counts as close. */
export function closest(word: string, known: readonly string[]): string[] {
  const reach = Math.max(2, Math.floor(word.length / 3))
  return known
    .map((it) => ({ it, far: it.includes(word) || word.replace(' ', '.') === it ? 1 : distance(word, it) }))
    .filter(({ far }) => far <= reach)
    .sort((a, b) => a.far - b.far)
    .slice(0, suggestionsMax)
    .map(({ it }) => it)
}
