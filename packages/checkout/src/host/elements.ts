import { BursarCheckoutButton } from './button.ts'
import { BursarFrame } from './frame.ts'

export class BursarCheckout extends BursarFrame {
  static override readonly element = 'checkout'
  static override readonly orders = true
}
export class BursarPaymentForm extends BursarFrame {
  static override readonly element = 'payment-form'
  static override readonly orders = true
}
export class BursarPaymentStatus extends BursarFrame {
  static override readonly element = 'payment-status'
}
export class BursarLogin extends BursarFrame {
  static override readonly element = 'login'
}
export class BursarAuthStatus extends BursarFrame {
  static override readonly element = 'auth-status'
}
export class BursarProfileMenu extends BursarFrame {
  static override readonly element = 'profile-menu'
}
export { BursarCheckoutButton }

export const tags = {
  'bursar-checkout': BursarCheckout,
  'bursar-payment-form': BursarPaymentForm,
  'bursar-checkout-button': BursarCheckoutButton,
  'bursar-payment-status': BursarPaymentStatus,
  'bursar-login': BursarLogin,
  'bursar-auth-status': BursarAuthStatus,
  'bursar-profile-menu': BursarProfileMenu,
} as const

/** A page may load us twice, in two versions even; who comes first stays. */
export function defineElements(): void {
  if (typeof customElements === 'undefined') return
  for (const [tag, element] of Object.entries(tags))
    if (customElements.get(tag) === undefined) customElements.define(tag, element)
}
