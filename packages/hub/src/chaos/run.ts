import type { Fault } from '@bursar/connectors/simulator/faults.ts'
import { day, hour, minute, second } from '@bursar/kit/clock.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { sweep } from '#entitlements/jobs.ts'
import { createWorld, type World } from '#main/world.ts'
import { sweepEvents } from '#orders/sweep.ts'
import { type Violation, violations } from '#scenarios/promise.ts'
import { createCast, draw, live } from './lives.ts'
import { bury, type ChaosNode, createNode } from './node.ts'
import type { Draw, Scene } from './scene.ts'
import { toldAndKept } from './told.ts'
import { type ChaosWeb, createWeb } from './web.ts'

export type RunResult = {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly steps: number
  readonly lives: number
  readonly kills: number
  readonly deliveries: number
  readonly lost: number
  readonly duplicates: number
  readonly requests: number
  /** What was done, in order; the same seed tells the same story. */
  readonly story: readonly string[]
}

export type RunOptions = {
  readonly seed: number
  readonly steps?: number
  /** Looks at the world after the quiet and before the promise is checked. */
  readonly inspect?: (world: World) => Promise<void>
}

type Storm = {
  readonly world: World
  readonly by: Draw
  readonly scene: Scene
  readonly nodes: ChaosNode[]
  web: ChaosWeb
  readonly story: string[]
  /** What was wrong at the moment it happened and may have mended itself since. */
  readonly seen: Violation[]
  readonly counts: Record<'lives' | 'kills' | 'deliveries' | 'lost' | 'duplicates' | 'requests' | 'named', number>
}

const stepsDefault = 360
// Every fifth seed lets those who act at once really do, transaction beside transaction.
const atOnceEvery = 5
const slug = 'school'
const nodeCount = 2

/** One storm: random lives in random weather, then quiet, then the promise is checked. Everything follows from the seed. */
export async function run(options: RunOptions): Promise<RunResult> {
  const world = await createWorld({
    seed: options.seed,
    variants: { requests: 30, visibilityDelayMs: options.seed % 3 === 0 ? 4_000 : 0 },
  })
  const by = draw(seededRandom(options.seed * 7_919 + 17))
  await settings(world, options.seed)
  const seen: Violation[] = []
  const scene: Scene = {
    world,
    cast: await createCast(world),
    by,
    slug,
    web: () => storm.web,
    carts: [],
    told: { refused: [], launched: [], joined: [] },
    seen,
    atOnce: options.seed % atOnceEvery === 0,
  }
  const counts = { lives: 0, kills: 0, deliveries: 0, lost: 0, duplicates: 0, requests: 0, named: 0 }
  const storm: Storm = { world, by, scene, nodes: [], web: createWeb(world, 'web-0'), story: [], seen, counts }
  const steps = options.steps ?? stepsDefault
  try {
    // What was told while the shop was set up is no part of the storm.
    await world.stripe.deliverAll()
    for (let i = 0; i < nodeCount; i++) storm.nodes.push(newNode(storm))
    for (let i = 0; i < steps; i++) await weatherStep(storm)
    await quiet(storm)
    await options.inspect?.(world)
    const found = [...storm.seen, ...(await violations(world)), ...(await toldAndKept(scene))]
    const { named, ...counts } = storm.counts
    return { seed: options.seed, violations: found, steps, ...counts, story: storm.story }
  } finally {
    for (const node of storm.nodes) await node.close()
    await storm.web.close()
    await world.close()
  }
}

/** When a seat is prepared is the organization's choice; a form needs a key that browsers may know. */
async function settings(world: World, seed: number): Promise<void> {
  const at = seed % 2 === 0 ? 'at_claim' : 'at_payment'
  await world.rows(`update organization set prepare_seat = '${at}'`)
  await world.rows(
    `update connection set config = config || '{"publishableKey": "pk_test_world0000"}' where category = 'payment'`,
  )
}

const newNode = (storm: Storm): ChaosNode => {
  storm.counts.named += 1
  return createNode(storm.world, `storm-${storm.counts.named}`)
}

const tell = (storm: Storm, what: string | null) => {
  if (what !== null) storm.story.push(what)
}

/** One thing happens. The weights are what makes a storm: mostly work and mail, now and then a death. */
async function weatherStep(storm: Storm): Promise<void> {
  const roll = storm.by.between(1, 100)
  if (roll <= 30) return happen(storm)
  if (roll <= 46) return post(storm)
  if (roll <= 67) return work(storm)
  if (roll <= 85) return serve(storm)
  if (roll <= 92) return pass(storm)
  if (roll <= 95) return weather(storm)
  if (roll <= 98) return strike(storm)
  tell(storm, `sweep ${(await sweep(storm.world.app)).poked}`)
}

async function happen(storm: Storm): Promise<void> {
  const what = await live(storm.scene)
  if (what !== null) storm.counts.lives += 1
  tell(storm, what)
}

/** The mail: any waiting delivery, maybe twice, maybe never. */
async function post(storm: Storm): Promise<void> {
  const { by, world } = storm
  const chosen = by.one(world.stripe.outbox().filter((d) => d.state === 'waiting'))
  if (chosen === undefined) return
  if (by.chance(0.07)) {
    // One letter, or the whole bag: what is told by several events at once is lost only with all of them.
    const lost = by.chance(0.4) ? world.stripe.outbox().filter((d) => d.state === 'waiting') : [chosen]
    for (const delivery of lost) world.stripe.drop(delivery.id)
    storm.counts.lost += lost.length
    return tell(storm, `lost ${lost.length > 1 ? `${lost.length} deliveries` : chosen.type}`)
  }
  const copies = by.chance(0.15) ? 2 : 1
  storm.counts.deliveries += copies
  storm.counts.duplicates += copies - 1
  await Promise.all(Array.from({ length: copies }, () => world.stripe.deliver(chosen.id)))
  tell(storm, `delivered ${chosen.type} x${copies}`)
}

/** A node does some steps of its work; the other may stand in the middle of its own. */
async function work(storm: Storm): Promise<void> {
  const node = storm.by.one(storm.nodes)
  if (node === undefined) return
  const moves = storm.by.between(1, 8)
  for (let i = 0; i < moves; i++) {
    const result = await node.advance()
    tell(storm, `${node.name} ${result} ${node.at ?? ''}`)
    if (result === 'idle') return
  }
}

/** Requests go on by some steps, in any order. */
async function serve(storm: Storm): Promise<void> {
  const moves = storm.by.between(6, 40)
  for (let i = 0; i < moves && storm.web.busy; i++) await serveOne(storm, (waiting) => storm.by.between(0, waiting - 1))
}

async function serveOne(storm: Storm, pick: (waiting: number) => number): Promise<void> {
  const what = await storm.web.advance(pick)
  tell(storm, what)
  if (what === null || what.includes(' at ')) return
  storm.counts.requests += 1
  // Whatever happens outside, whoever asks gets an answer with a reason.
  if (what.includes(': threw ')) storm.seen.push({ code: 'request_failed', about: 'web', detail: what })
}

const waits = [second, 5 * second, minute, 20 * minute, 3 * hour, 12 * hour, 3 * day] as const

// As entitlements/store.ts: so long is an account at a school one worker's own.
const leaseMs = 10 * minute

/** A call has a limit of seconds: whoever stands in one when hours pass has its answer, or is dead. */
async function bringCallsHome({ nodes, web }: Storm): Promise<void> {
  for (const node of nodes) while (node.busy && (node.at === 'calling' || node.at === 'called')) await node.advance()
  await web.finishCalls()
}

async function pass(storm: Storm): Promise<void> {
  const ms = storm.by.one(waits) ?? second
  if (ms >= leaseMs) await bringCallsHome(storm)
  await storm.world.clock.advance(ms)
  tell(storm, `${ms / second} s pass`)
}

const badWeather: readonly Fault['kind'][] = ['status', 'status', 'reset', 'reset_after_commit', 'truncate', 'html']

async function weather(storm: Storm): Promise<void> {
  const { by, world } = storm
  const target = by.chance(0.8) ? world.school : world.stripe
  if (by.chance(0.35)) {
    target.faults.clear()
    return tell(storm, `${target.name} fair`)
  }
  const kind = by.one(badWeather) ?? 'status'
  const status = by.one([429, 500, 502, 503, 504]) ?? 500
  const share = by.one([0.2, 0.5, 1]) ?? 1
  const ms = by.one([10 * second, 10 * minute, 4 * hour]) ?? minute
  // At the provider only our reading is disturbed: the shop that opens checkouts is not what is tested.
  const where = target === world.school ? { path: '/v2/' } : { path: '/v1/', method: 'GET' }
  target.faults.add({
    kind,
    status,
    probability: share,
    ...where,
    until: world.clock.now() + ms,
    ...(status === 429 ? { headers: { 'retry-after': '7' } } : {}),
  })
  tell(storm, `${target.name} ${kind} ${status} ${share} for ${ms / second} s`)
}

/** What a buried node still holds: its work would wait for the end of the lease, ten minutes instead of seconds. */
const leftBy = (world: World, name: string): Promise<Violation[]> =>
  world.rows<Violation>(
    `select 'held_by_the_dead' as code, id as about, lease_node as detail from lms_account where lease_node = '${name}'`,
  )

/** A node dies wherever it stands; seconds later the living bury it and a new one comes. */
async function strike(storm: Storm): Promise<void> {
  if (storm.by.chance(strikesAtWeb)) return strikeWeb(storm)
  const index = storm.by.between(0, storm.nodes.length - 1)
  const node = storm.nodes[index]
  if (node === undefined) return
  tell(storm, `kill ${node.name} at ${node.at ?? 'rest'}`)
  await node.kill()
  storm.counts.kills += 1
  await storm.world.clock.advance(3 * second)
  await bury(storm.world, node.name)
  storm.seen.push(...(await leftBy(storm.world, node.name)))
  storm.nodes[index] = newNode(storm)
}

const strikesAtWeb = 0.35

/** The process at the door dies with every request in it; the browsers never hear an answer. */
async function strikeWeb(storm: Storm): Promise<void> {
  const { web, world } = storm
  tell(storm, `kill ${web.name}`)
  await web.kill()
  storm.counts.kills += 1
  await world.clock.advance(3 * second)
  await bury(world, web.name)
  storm.seen.push(...(await leftBy(world, web.name)))
  storm.counts.named += 1
  storm.web = createWeb(world, `web-${storm.counts.named}`)
}

// Longer than a month and its grace: whatever ends by itself has ended.
const seasonMs = 45 * day
const quietRoundsMax = 4_000
const requestStepsMax = 20_000
const quietMs = 10 * day

/** Fair weather for as long as it takes: every retry gets its turn, lost mail is found by comparison. */
async function quiet(storm: Storm): Promise<void> {
  const { world, nodes } = storm
  world.school.faults.clear()
  world.stripe.faults.clear()
  for (const node of nodes) while (node.busy) await node.advance()
  for (let i = 0; i < requestStepsMax && storm.web.busy; i++) await serveOne(storm, () => 0)
  if (storm.web.busy) storm.story.push('the quiet did not end')
  if (!(await calm(storm))) return
  await world.clock.advance(seasonMs)
  await calm(storm)
}

/** Works until nothing is left to do within ten days; false when that never comes. */
async function calm(storm: Storm): Promise<boolean> {
  const { world } = storm
  const end = world.clock.now() + quietMs
  for (let round = 0; round < quietRoundsMax; round++) {
    await world.stripe.deliverAll()
    await sweepEvents(world.app)
    if (await runAll(storm)) continue
    const { changed, poked } = await sweep(world.app)
    if (changed + poked > 0) continue
    const next = await world.drain.nextRunAt()
    if (next === null || next > end) return true
    await world.clock.advanceTo(next)
  }
  storm.story.push('the quiet did not end')
  return false
}

async function runAll(storm: Storm): Promise<boolean> {
  let ran = false
  for (const node of storm.nodes)
    for (;;) {
      const result = await node.advance()
      if (result === 'idle') break
      ran = true
    }
  return ran
}
