import type { Action } from '#action/define.ts'
import { meActions } from './actions-me.ts'
import { operatorActions } from './actions-people.ts'
import { privacyActions } from './actions-privacy.ts'

export const peopleActions: readonly Action[] = [...operatorActions, ...meActions, ...privacyActions]
