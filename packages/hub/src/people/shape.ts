import { z } from 'zod'
import { instant } from '#action/fields.ts'

export const personShape = z.object({
  id: z.string(),
  email: z.string().nullable(),
  name: z.string().nullable(),
  state: z
    .enum(['active', 'waiting', 'merged', 'erased'])
    .describe('waiting: a mailbox somebody paid with and nobody has proven'),
  mergedInto: z.string().nullable(),
  roles: z.array(z.string()),
  createdAt: instant,
})

export const identityShape = z.object({
  issuer: z.string(),
  subject: z.string(),
  email: z.string().nullable().describe('What the issuer said last; a hint, never a key.'),
  provenAt: instant.nullable(),
  lastSeenAt: instant.nullable(),
})

export const customerShape = z.object({ connectionId: z.string(), externalId: z.string() })

export const accountShape = z.object({
  id: z.string(),
  connectionId: z.string(),
  school: z.string(),
  externalId: z.string().nullable(),
  privileged: z.boolean(),
  email: z.string(),
  emailWanted: z.string().nullable().describe('The address the school is still to be told.'),
  emailFailure: z.string().nullable(),
})

export const mergeShape = z.object({
  id: z.string(),
  from: z.string(),
  into: z.string(),
  evidence: z.enum(['proof', 'operator']),
  state: z.enum(['waiting_person', 'moved', 'done']),
  waitsFor: z.string().nullable(),
  moved: z
    .object({
      identities: z.number().int(),
      orders: z.number().int(),
      entitlements: z.number().int(),
      customers: z.number().int(),
      roles: z.array(z.string()),
      accountsMoved: z.array(z.string()).describe('School accounts that come along, with their progress.'),
      accountsWithWork: z.array(z.string()).describe('School accounts whose seats are opened or closed because of it.'),
    })
    .nullable(),
})

const stepState = z.enum(['todo', 'done', 'waiting_person', 'failed', 'retained'])

export const requestShape = z.object({
  id: z.string(),
  kind: z.enum(['export', 'erase']),
  personId: z.string(),
  requestedBy: z.string(),
  reason: z.string().nullable(),
  state: z.enum(['running', 'waiting_person', 'done']),
  dueAt: instant,
  createdAt: instant,
  doneAt: instant.nullable(),
  documentUntil: instant.nullable(),
  downloadedAt: instant.nullable(),
})

export const stepShape = z.object({
  position: z.number().int(),
  kind: z.string(),
  title: z.string(),
  connectionId: z.string().nullable(),
  subject: z.string().nullable().describe('Its own id at that system.'),
  state: stepState,
  note: z.string().nullable(),
  evidence: z.record(z.string(), z.unknown()).nullable(),
  attempts: z.number().int(),
  nextTryAt: instant.nullable(),
  completedBy: z.string().nullable(),
  updatedAt: instant,
})
