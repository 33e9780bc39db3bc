import { defineActions } from '#action/define.ts'
import { identityActions } from '#identity/actions.ts'

/** The actions the command line knows. */
export const registry = defineActions(identityActions)
