import { settings } from '../../packages/hub/src/main/config.ts'
import { type ErrorCode, errorTable } from '../../packages/kit/src/errors.ts'
import { codesRule, manifestRule, settingsRule } from './codes.ts'
import { circleRule, directionRule, purityRule } from './direction.ts'
import { homesRule } from './homes.ts'
import { sizeRule } from './size.ts'
import type { Source, Violation } from './source.ts'
import { leftoversRule, namesRule, swallowRule, wordsRule } from './words.ts'

export type Rule = { readonly holds: string; readonly run: (sources: readonly Source[]) => readonly Violation[] }

/** Every rule of the house, as CONTRIBUTING.md names them. */
export const rules: readonly Rule[] = [
  { holds: 'slices stand in one line, packages too, and test set-ups stay with the tests', run: directionRule },
  { holds: 'no circle of imports, types included', run: circleRule },
  { holds: 'rules.ts and map.ts are pure', run: purityRule },
  { holds: 'environment, time, network, signatures and encryption have one home each', run: homesRule },
  { holds: 'no file over 400 lines, no function over 70', run: sizeRule },
  { holds: 'no any, enum, namespace, default export, and no test that is left out', run: wordsRule },
  { holds: 'no swallowed error without its reason', run: swallowRule },
  { holds: 'no open ends and no path of a machine', run: leftoversRule },
  { holds: 'no file is a drawer', run: namesRule },
  {
    holds: 'every error code is answered somewhere and stands in the manual',
    run: (sources) => codesRule(sources, Object.keys(errorTable) as ErrorCode[]),
  },
  { holds: 'every setting is read', run: (sources) => settingsRule(sources, Object.keys(settings)) },
  { holds: 'packages import what their manifest names', run: manifestRule },
]

const shownMax = 40

/** One line per violation, the way editors make them clickable. */
export function tell(violations: readonly Violation[]): string {
  const lines = violations.slice(0, shownMax).map((v) => `${v.path}:${v.line}: ${v.message} (${v.rule})`)
  const rest = violations.length - lines.length
  return [...lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
}
