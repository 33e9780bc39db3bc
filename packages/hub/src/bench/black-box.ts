import { startEmbedded } from '#db/embedded.ts'
import { type HubProcess, startHub } from './hub-process.ts'
import { type BenchSchool, type SchoolOptions, startSchool } from './school.ts'
import { benchCourse, benchSecret, openShop, type Shop } from './shop.ts'

/** A hub driven from outside only: a database, a school, a webhook secret and a mapping, all by environment. */
export type BlackBox = {
  readonly hub: HubProcess
  readonly school: BenchSchool
  readonly shop: Shop
  readonly databaseUrl: string
  /** Another process on the same database. */
  another(env: Readonly<Record<string, string>>): Promise<HubProcess>
  close(): Promise<void>
}

export async function openBlackBox(
  folder: string,
  options: SchoolOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<BlackBox> {
  const database = await startEmbedded({ folder: `${folder}/database` })
  const school = await startSchool(options)
  const environment = {
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_URL: database.url,
    BURSAR_DATA: `${folder}/data`,
    BURSAR_LOG: 'error',
    STRIPE_WEBHOOK_SECRET: benchSecret,
    LEARNWORLDS_BASE_URL: school.url,
    LEARNWORLDS_CLIENT_ID: 'bench-client',
    LEARNWORLDS_CLIENT_SECRET: 'bench-client-secret',
    LEARNWORLDS_REQUESTS: String(options.requests),
    LEARNWORLDS_WINDOW_MS: String(options.windowMs),
    BURSAR_MAP: `metadata.courseId:${benchCourse}=course:${benchCourse}`,
    ...env,
  }
  const hub = await startHub(environment, folder)
  const others: HubProcess[] = []
  const shop = openShop(hub.url)
  return {
    hub,
    school,
    shop,
    databaseUrl: database.url,
    another: async (more) => {
      const started = await startHub({ ...environment, ...more }, folder)
      others.push(started)
      return started
    },
    close: async () => {
      await shop.close()
      for (const process of [...others, hub]) await process.kill('SIGTERM')
      await school.close()
      await database.stop()
    },
  }
}
