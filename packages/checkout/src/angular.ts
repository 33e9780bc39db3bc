/**
 * Angular binds properties and listens to events of custom elements by itself, once the component lists
 * `CUSTOM_ELEMENTS_SCHEMA` under `schemas`:
 *
 *     <bursar-checkout organization="harbour" [prices]="prices" (paymentSuccess)="onPaid($event)"></bursar-checkout>
 *
 * So there is nothing to wrap. These are the types of what is bound and heard.
 */
export type { BursarEvent, BursarSettings, Detail, EventName, Mode, Status } from './types.ts'
