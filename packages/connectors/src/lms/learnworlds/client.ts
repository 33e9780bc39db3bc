import type { ConnectorIo } from '../../io.ts'
import { catalogApi } from './api/catalog.ts'
import { communityApi, schoolApi } from './api/community.ts'
import { enrollmentApi, ssoApi } from './api/enrollment.ts'
import { groupsApi, seatsApi } from './api/groups.ts'
import { certificatesApi, learningApi } from './api/learning.ts'
import { affiliatesApi, leadsApi, promotionsApi } from './api/marketing.ts'
import { recordsApi } from './api/records.ts'
import { createTransport } from './api/transport.ts'
import { rolesApi, usersApi } from './api/users.ts'
import { type LearnWorldsConfig, readConfig, type Settings } from './config.ts'

/**
 * The LearnWorlds API v2 of one school, typed. Field names are theirs; times are epoch milliseconds. Every method
 * answers an `Outcome` and never throws for what the school does. It needs no database: give it an `Http`, a clock
 * and, if several processes share the school's limit, an `acquire`.
 */
export function createLearnWorldsClient(config: LearnWorldsConfig, io: ConnectorIo) {
  return clientFor(readConfig(config), io)
}

export function clientFor(settings: Settings, io: ConnectorIo) {
  const transport = createTransport(settings, io)
  return {
    settings,
    users: usersApi(transport),
    roles: rolesApi(transport),
    enrollment: enrollmentApi(transport),
    sso: ssoApi(transport),
    learning: learningApi(transport),
    catalog: catalogApi(transport),
    certificates: certificatesApi(transport),
    records: recordsApi(transport),
    groups: groupsApi(transport),
    seats: seatsApi(transport),
    leads: leadsApi(transport),
    promotions: promotionsApi(transport),
    affiliates: affiliatesApi(transport),
    community: communityApi(transport),
    school: schoolApi(transport),
  }
}

export type LearnWorldsClient = ReturnType<typeof clientFor>
