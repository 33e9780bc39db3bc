import type { Action } from '#action/define.ts'
import { catalogActions } from '#catalog/actions.ts'
import { entitlementActions } from '#entitlements/actions.ts'
import { eventActions } from '#events/actions.ts'
import { identityActions } from '#identity/actions.ts'
import { clientActions } from '#identity/actions-clients.ts'
import { originActions } from '#identity/actions-origins.ts'
import { roleActions } from '#identity/actions-roles.ts'
import { issuerActions } from '#identity/issuers/actions.ts'
import { mailActions } from '#mail/actions.ts'
import { orderActions } from '#orders/actions.ts'
import { peopleActions } from '#people/actions.ts'
import { reportActions } from '#reports/actions.ts'

/** Every capability of the hub. A new slice's actions get a line here, and all doors serve them. */
export const allActions: readonly Action[] = [
  ...identityActions,
  ...originActions,
  ...clientActions,
  ...roleActions,
  ...issuerActions,
  ...eventActions,
  ...catalogActions,
  ...entitlementActions,
  ...orderActions,
  ...mailActions,
  ...peopleActions,
  ...reportActions,
]
