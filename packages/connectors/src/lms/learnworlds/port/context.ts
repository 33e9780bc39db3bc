import { minute } from '@bursar/kit/clock.ts'
import type { ConnectorIo } from '../../../io.ts'
import type { Account } from '../../port.ts'
import { onePerSchool } from '../api/per-school.ts'
import type { LearnWorldsClient } from '../client.ts'
import type { Settings } from '../config.ts'
import { createMemory, type Memory } from './memory.ts'

/** How long a bundle's courses, and the finding that an account is a plain learner's, are believed. */
const keepMs = 10 * minute

export type Context = {
  readonly client: LearnWorldsClient
  readonly settings: Settings
  readonly io: ConnectorIo
  /** When this process created an account: until it is visible, a 404 is not a verdict. */
  readonly createdAt: Memory<number>
  /** Accounts as last seen, so that a launch needs no read each time. */
  readonly accounts: Memory<Account>
  /** The course slugs of a bundle (`bundle/x`) or plan (`subscription/x`). */
  readonly contents: Memory<readonly string[]>
}

const memoriesOf = onePerSchool((settings, io) => ({
  createdAt: createMemory<number>(io.clock, settings.flags.visibilityWindowMs),
  accounts: createMemory<Account>(io.clock, keepMs),
  contents: createMemory<readonly string[]>(io.clock, keepMs),
}))

export const createContext = (client: LearnWorldsClient, io: ConnectorIo): Context => ({
  client,
  settings: client.settings,
  io,
  ...memoriesOf(client.settings, io),
})
