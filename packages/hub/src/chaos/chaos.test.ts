import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from './run.ts'

const steps = 120

test('storms of different seeds keep the promise, and between them lose mail, repeat it and kill nodes', async () => {
  const seen = { lost: 0, kills: 0, duplicates: 0 }
  for (const seed of [3, 4]) {
    const storm = await run({ seed, steps: 160 })
    assert.deepEqual(storm.violations, [], `seed ${seed}`)
    assert.notEqual(storm.story.at(-1), 'the quiet did not end')
    for (const what of ['lost', 'kills', 'duplicates'] as const) seen[what] += storm[what]
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `no ${what} in these storms`)
})

test('the same seed tells the same story, another seed another', async () => {
  const [one, two, other] = [
    await run({ seed: 11, steps }),
    await run({ seed: 11, steps }),
    await run({ seed: 12, steps }),
  ]
  assert.deepEqual(one.story, two.story)
  assert.notDeepEqual(one.story, other.story)
})

test('a seat that is shut in silence, and a purchase that nobody knows, are reported', async () => {
  const storm = await run({
    seed: 5,
    steps,
    inspect: async (world) => {
      const first = `(select min(id) from enrollment where wanted = 'granted' and actual = 'granted')`
      await world.app.db.tx('system', (tx) =>
        tx.run({
          name: '',
          text: `update enrollment set wanted = 'revoked', actual = 'revoked' where id = ${first}`,
          values: [],
        }),
      )
      const session = await world.checkout([world.stripe.addPrice({ name: 'Unheard of', amount: 100 }).id])
      world.stripe.pay({ session, email: 'unheard@storm.example' })
    },
  })
  const codes = new Set(storm.violations.map((v) => v.code))
  for (const code of ['wanted_differs', 'still_open', 'paid_without_order'])
    assert.ok(codes.has(code), `${code} of ${[...codes]}`)
})
