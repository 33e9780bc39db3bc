import { pack, unpack } from '../../../simulator/memory.ts'
import type { SchoolVariants } from './options.ts'
import { emptyState, type School, type SchoolState } from './state.ts'
import type { Outbox, OutboxMemory } from './webhooks.ts'

// Raise the number with any change of what is kept: an older memory is then refused instead of half understood.
const format = 'LearnWorlds school, 1'

type Kept = {
  readonly state: SchoolState
  readonly variants: SchoolVariants
  readonly tokens: ReadonlyMap<string, number>
  readonly outbox: OutboxMemory
}

/** The school as bytes. It is plain data throughout, so the copy that `pack` makes is complete. */
export const remember = (school: School, outbox: Outbox): Buffer =>
  pack(format, {
    state: school.state,
    variants: school.variants,
    tokens: school.tokens,
    outbox: outbox.memory(),
  } satisfies Kept)

export function recall(school: School, outbox: Outbox, data: Buffer): void {
  const kept = unpack(format, data) as Kept
  school.state = { ...emptyState(), ...kept.state }
  school.variants = { ...school.variants, ...kept.variants }
  school.tokens.clear()
  for (const [token, expiresAt] of kept.tokens) school.tokens.set(token, expiresAt)
  outbox.recall(kept.outbox)
}
