import type { Config, EventName, Status } from '#protocol.ts'
import type { Answer, OrderStatus } from './api.ts'
import type { Order } from './memory.ts'
import type { TemplateResult } from './view.ts'

/** What is shown, and a name for it: with a new name the focus goes to the new heading. */
export type Step = { readonly at: string; readonly view: () => TemplateResult }

export type PurchaseDeps = {
  readonly organization: string
  readonly element: string
  readonly config: Config
  readonly show: (step: Step) => void
  readonly tell: (status: Status, orderRef: string | null, event?: EventName) => void
}

/** A purchase, as what follows its payment knows it. */
export type Bought = {
  readonly deps: PurchaseDeps
  readonly order: Order | null
  readonly orderRef: string | null
  readonly signal: AbortSignal
  /** Money is on its way or spent, so that nothing may begin anew. */
  busy: boolean
  /** Something about its order has changed. */
  amend(change: Partial<Order>): void
  /** From the beginning, with a new order. */
  again(): Promise<void>
  status(): Promise<Answer<OrderStatus>>
  /** The secret of this purchase, while it is good for something. */
  proof(): { readonly claimSecret?: string }
  problem(title: string, text: string, again: (() => void) | null, status: Status, event?: EventName): void
  /** Each state once: a page that counts successes counts one. */
  tell(status: Status, event?: EventName): void
}
