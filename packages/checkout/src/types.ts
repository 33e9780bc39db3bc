import type {
  BursarAuthStatus,
  BursarCheckout,
  BursarCheckoutButton,
  BursarLogin,
  BursarPaymentForm,
  BursarPaymentStatus,
  BursarProfileMenu,
} from './host/elements.ts'
import type { Detail, EventName, Mode } from './protocol.ts'

export type { Detail, EventName, Mode, Status } from './protocol.ts'

/** What an event of ours carries, and all it carries. It is news, never a proof: ask the hub before you deliver. */
export type BursarEvent = CustomEvent<Detail>

/** What can be set on an element, as attribute or property. Amounts, currencies and keys are not among it. */
export type BursarSettings = {
  readonly hub?: string
  readonly organization: string
  readonly prices?: string | readonly string[]
  readonly email?: string
  readonly mode?: Mode
  readonly orderRef?: string
  readonly gift?: boolean
  readonly promotionCode?: string
  readonly returnUrl?: string
  readonly lang?: string
  readonly label?: string
}

declare global {
  interface HTMLElementTagNameMap {
    'bursar-checkout': BursarCheckout
    'bursar-payment-form': BursarPaymentForm
    'bursar-checkout-button': BursarCheckoutButton
    'bursar-payment-status': BursarPaymentStatus
    'bursar-login': BursarLogin
    'bursar-auth-status': BursarAuthStatus
    'bursar-profile-menu': BursarProfileMenu
  }
  interface HTMLElementEventMap extends Record<EventName | 'statusChange', BursarEvent> {}
}
