/** React 19 sets properties and listens to custom events by itself; what is left is names and types. */
import { createElement, type ReactElement, type ReactNode } from 'react'
import type { BursarEvent, BursarSettings } from './types.ts'

export type { BursarEvent, BursarSettings } from './types.ts'

type Listener = (event: BursarEvent) => void

export type BursarProps = BursarSettings & {
  readonly onPaymentSuccess?: Listener
  readonly onPaymentError?: Listener
  readonly onPaymentProcessing?: Listener
  readonly onLoginSuccess?: Listener
  readonly onLoginError?: Listener
  readonly onSignupSuccess?: Listener
  readonly onStatusChange?: Listener
  readonly className?: string
  readonly children?: ReactNode
}

/** `onPaymentSuccess` listens to `paymentSuccess`: React takes what follows `on` as it is. */
const named = (props: BursarProps): object =>
  Object.fromEntries(
    Object.entries(props)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [
        /^on[A-Z]/.test(name) ? `on${name.charAt(2).toLowerCase()}${name.slice(3)}` : name,
        value,
      ]),
  )

const component =
  (tag: string) =>
  (props: BursarProps): ReactElement =>
    createElement(tag, named(props))

export const BursarCheckout = component('bursar-checkout')
export const BursarPaymentForm = component('bursar-payment-form')
export const BursarCheckoutButton = component('bursar-checkout-button')
export const BursarPaymentStatus = component('bursar-payment-status')
export const BursarLogin = component('bursar-login')
export const BursarAuthStatus = component('bursar-auth-status')
export const BursarProfileMenu = component('bursar-profile-menu')
