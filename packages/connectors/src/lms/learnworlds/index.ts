import type { ConnectorIo } from '../../io.ts'
import type { Capabilities, LmsConnector } from '../port.ts'
import { classifyAnswer } from './api/errors.ts'
import { createLearnWorldsClient } from './client.ts'
import type { LearnWorldsConfig } from './config.ts'
import { accountsPort } from './port/accounts.ts'
import { createContext } from './port/context.ts'
import { entitlementsPort } from './port/entitlements.ts'
import { launchPort } from './port/launch.ts'
import { probe } from './port/probe.ts'
import { catalogPort, certificatesPort, progressPort } from './port/reading.ts'
import { webhooksPort } from './port/webhooks.ts'

const capabilities: Capabilities = {
  accounts: { mode: 'api', note: 'Created without a password and without a mail; found by e-mail address.' },
  grant: { mode: 'api', note: 'Enrolls at once, price 0, with our key as the justification.' },
  revoke: {
    mode: 'api',
    modes: ['remove'],
    note: 'Unenrolls. Progress stays with the school; another bundle or plan may still open the course.',
  },
  launch: {
    mode: 'api',
    note: 'A login link made on click, or the school’s sign-in by OpenID Connect at this hub. For learners only.',
  },
  progress: {
    mode: 'api',
    grain: 'percent',
    access: 'per_learner',
    note: 'One call gives all courses of one learner. Changes are found through the event log.',
  },
  certificates: { mode: 'api', note: 'By account or by course; no date filter.' },
  webhooks: {
    mode: 'api',
    trust: 'shared_secret',
    note: 'Set up by hand under Settings > Developers > Webhooks. A fixed token, so every delivery is a hint.',
  },
}

/** A LearnWorlds school behind our port. */
export function createLearnWorlds(config: LearnWorldsConfig, io: ConnectorIo): LmsConnector {
  const client = createLearnWorldsClient(config, io)
  const context = createContext(client, io)
  return {
    platform: 'learnworlds',
    limits: { requests: client.settings.requests, windowMs: client.settings.windowMs },
    describe: () => capabilities,
    probe: () => probe(context),
    classify: (answer) => classifyAnswer(answer, io.clock.now()),
    catalog: catalogPort(context),
    accounts: accountsPort(context),
    entitlements: entitlementsPort(context),
    launch: launchPort(context),
    progress: progressPort(context),
    certificates: certificatesPort(context),
    webhooks: webhooksPort(context),
  }
}
