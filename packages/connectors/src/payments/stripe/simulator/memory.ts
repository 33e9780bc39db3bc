import Stripe from 'stripe'
import { copyGraph, pack, unpack } from '#simulator/memory.ts'
import type { ApiState } from './api.ts'
import type { Outbox, OutboxMemory } from './outbox.ts'
import { decimal, emptyWorld, type World } from './world.ts'

// Raise the number with any change of what is kept: an older memory is then refused instead of half understood.
const format = 'Stripe account, 2'

// What belongs to the process and not to the account.
const notKept = ['clock', 'random', 'livemode', 'publishableKey', 'request', 'onEvent'] as const
type Kept = Omit<World, (typeof notKept)[number]>
type Memory = { readonly world: Kept; readonly outbox: OutboxMemory; readonly answers: ApiState['answers'] }

const decimalKey = '$decimal'
const decimalPrototype: unknown = Object.getPrototypeOf(decimal(0))
const isDecimal = (value: object): value is Stripe.Decimal => Object.getPrototypeOf(value) === decimalPrototype

/**
 * The account as bytes. Stripe's decimals are objects of a class, which bytes cannot carry, so they travel as text.
 * One copy holds everything, because a price stands in its map, in lines and in subscriptions as one object.
 */
export function remember(world: World, outbox: Outbox, state: ApiState): Buffer {
  const left: readonly string[] = notKept
  const kept = Object.fromEntries(Object.entries(world).filter(([name]) => !left.includes(name))) as unknown as Kept
  const memory: Memory = { world: kept, outbox: outbox.memory(), answers: state.answers }
  return pack(
    format,
    copyGraph(memory, (value) => (isDecimal(value) ? { [decimalKey]: value.toString() } : undefined)),
  )
}

const withDecimals = (value: object): unknown => {
  const text = (value as { readonly [decimalKey]?: unknown })[decimalKey]
  return typeof text === 'string' ? Stripe.Decimal.from(text) : undefined
}

export function recall(world: World, outbox: Outbox, state: ApiState, data: Buffer): void {
  const memory = copyGraph(unpack(format, data), withDecimals) as Memory
  const { baseUrl, events, sequence, afterDunning } = memory.world
  emptyWorld(world)
  for (const [name, kept] of Object.entries(memory.world)) {
    const target = (world as unknown as Record<string, unknown>)[name]
    if (kept instanceof Map && target instanceof Map) for (const [key, value] of kept) target.set(key, value)
    if (kept instanceof Set && target instanceof Set) for (const value of kept) target.add(value)
  }
  world.events.push(...events)
  world.sequence = sequence
  world.afterDunning = afterDunning
  moveAddresses(world, baseUrl)
  state.answers.clear()
  for (const [key, answer] of memory.answers) state.answers.set(key, answer)
  outbox.recall(memory.outbox)
}

/** The hosted pages of open checkouts and links follow the simulator when its port could not be kept. */
function moveAddresses(world: World, before: string): void {
  for (const holder of [...world.sessions.values(), ...world.links.values()])
    if (holder.url?.startsWith(`${before}/`)) holder.url = world.baseUrl + holder.url.slice(before.length)
}
