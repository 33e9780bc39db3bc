import { day } from '@bursar/kit/clock.ts'
import { z } from 'zod'
import { type Action, action } from '#action/define.ts'
import { instant } from '#action/fields.ts'
import { mailRoute } from './port.ts'
import { mailState } from './store.ts'

const recentMs = 7 * day

export const mailStatus = action({
  name: 'mail.status',
  summary:
    'Say whether messages to people can be sent, how many wait, and how many were refused in the last seven days.',
  input: z.object({}),
  output: z.object({
    route: z
      .enum(['server', 'mailbox', 'none'])
      .describe('server: sent by SMTP. mailbox: kept for the demo. none: no mail server is set, messages wait.'),
    waiting: z.number().int(),
    waitingSince: instant.nullable(),
    refused: z.number().int(),
    lastFailure: z.string().nullable().describe('Why the newest message that is not sent was not.'),
  }),
  access: 'mail:read',
  effect: 'read',
  run: async (ctx) => ({
    route: mailRoute(ctx),
    ...(await mailState(ctx.tx, ctx.organization, ctx.tx.now - recentMs)),
  }),
})

export const mailActions: readonly Action[] = [mailStatus]
