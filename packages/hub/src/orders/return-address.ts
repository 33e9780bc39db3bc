import { CodedError } from '@bursar/kit/errors.ts'
import { createGuard } from '@bursar/kit/http.ts'
import type { Ctx } from '#action/context.ts'
import type { Cart } from './begin.ts'

/** Where the buyer is sent back to is another's page, never called by the hub; still no script and no plain http. */
export function refuseOddAddresses(ctx: Pick<Ctx, 'demo' | 'publicUrl'>, cart: Cart): void {
  const guard = createGuard({ allowLoopback: ctx.demo })
  for (const [path, text] of [
    ['successUrl', cart.successUrl],
    ['cancelUrl', cart.cancelUrl],
  ] as const) {
    // Our own pages are wherever this hub runs, also where nobody outside reaches it.
    if (text.startsWith(`${ctx.publicUrl}/`)) continue
    // Stripe fills in {CHECKOUT_SESSION_ID}.
    const address = guard.check(text.replaceAll(/[{}]/g, ''))
    if (!address.ok)
      throw new CodedError('input_invalid', `${path}: ${address.reason}.`, {
        issues: [{ path, message: address.reason }],
      })
  }
}
