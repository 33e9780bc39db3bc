import type { App } from '#action/context.ts'
import { type KeptMail, keptMail } from './mailbox.ts'

/**
 * The newest message the mailbox holds for an address, with its `code` and `link`. Throws when there is none: run the
 * jobs first (`world.settle()`), unless it was sent by `sendMailNow`.
 */
export async function lastMail(world: { readonly app: App }, to: string): Promise<KeptMail> {
  const [mail] = await keptMail(world.app, to, 1)
  if (mail === undefined) throw new Error(`the mailbox holds nothing for ${to}`)
  return mail
}

/** All messages to an address, oldest first. */
export const mailsTo = async (world: { readonly app: App }, to: string): Promise<readonly KeptMail[]> =>
  (await keptMail(world.app, to)).toReversed()
