import type { Violation } from '#scenarios/promise.ts'
import { humanOf, type Scene } from './scene.ts'

/** Humans that were joined count as one, over any number of steps. */
function sameHuman(joined: Scene['told']['joined']): (a: number, b: number) => boolean {
  const heads = new Map<number, number>()
  const head = (n: number): number => {
    const next = heads.get(n) ?? n
    return next === n ? n : head(next)
  }
  for (const [a, b] of joined) heads.set(head(a), head(b))
  return (a, b) => head(a) === head(b)
}

type Refused = { readonly id: string; readonly order: string; readonly state: string }

/** What people were told during the storm and what they got, against what the rows say afterwards. */
export async function toldAndKept({ world, told }: Scene): Promise<readonly Violation[]> {
  const same = sameHuman(told.joined)
  const strangers = told.launched.flatMap(({ subject, accountEmail, rogue }): Violation[] => {
    const [who, whose] = [humanOf(subject), humanOf(accountEmail)]
    const detail = `${subject} entered as ${accountEmail}.`
    if (rogue) return [{ code: 'unproven_launched', about: subject, detail }]
    return who !== null && whose !== null && same(who, whose)
      ? []
      : [{ code: 'launched_as_another', about: subject, detail }]
  })
  const cases = new Map(
    (await world.rows<Refused>(`select id, order_id as order, state from access_case`)).map((k) => [k.id, k]),
  )
  const lost = told.refused
    .filter(({ caseId, order }) => cases.get(caseId)?.order !== order)
    .map(({ order, subject }) => ({
      code: 'case_lost',
      about: order,
      detail: `${subject} was refused; no case says so.`,
    }))
  const rogues = await world.rows<Violation>(`
    select 'unproven_holds' as code, p.id as about, i.subject || ' has an order or a seat' as detail
    from identity i join person p on p.id = i.person_id where i.issuer = 'https://rogue.example' and (
      exists (select from "order" o where p.id in (o.person_id, o.claimed_by))
      or exists (select from entitlement e where e.person_id = p.id and e.order_id is not null)
      or exists (select from lms_account a where a.person_id = p.id))`)
  return [...strangers, ...lost, ...rogues]
}
