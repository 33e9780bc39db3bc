import { formatMoney, moneyFromJson } from '@bursar/kit/money.ts'
import type { TimelineWire } from './actions.ts'
import { lengthText, utcText } from './names.ts'

// What a stranger typed into a name must not steer the terminal of whoever reads it.
const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')

const marks: Readonly<Record<TimelineWire['seats'][number]['kind'], string>> = {
  open: '●',
  being_set_up: '◐',
  waiting: '◐',
  needs_person: '!',
  needs_learner: '!',
  closing: '◐',
  closed: '○',
  not_started: '○',
  unpaid: '○',
}

const orderLine = (order: TimelineWire['orders'][number]): string => {
  const total = order.total === null ? null : formatMoney(moneyFromJson(order.total))
  return [order.id, order.email, total, order.state.replaceAll('_', ' ')].filter((t) => t !== null).join(' · ')
}

/** A timeline as text: what happened with its times, then a verdict per seat. Ends with a line break. */
export function renderTimeline(result: TimelineWire): string {
  const out = result.orders.map((o) => printable(orderLine(o)))
  const [first] = result.entries
  if (first !== undefined) {
    out.push('', `Since ${utcText(Date.parse(first.at))}`, '')
    const after = result.entries.map((e) => `+${lengthText(e.afterMs)}`)
    const width = Math.max(...after.map((text) => text.length))
    let day = first.at.slice(0, 10)
    result.entries.forEach((entry, i) => {
      if (entry.at.slice(0, 10) !== day) {
        day = entry.at.slice(0, 10)
        out.push(`  ${day}`)
      }
      out.push(`  ${entry.at.slice(11, 19)}  ${(after[i] ?? '').padStart(width)}  ${printable(entry.sentence)}`)
    })
  }
  out.push('', ...seatLines(result))
  return out.join('\n').replace(/^\n+/, '').concat('\n')
}

function seatLines(result: TimelineWire): string[] {
  if (result.seats.length === 0) return ['No seat.']
  const width = Math.max(...result.seats.map((s) => printable(s.course).length))
  return result.seats.map((s) => `${marks[s.kind]} ${printable(s.course).padEnd(width)}  ${printable(s.sentence)}`)
}
