import type { App } from '#action/context.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { emailTask, schoolEmailTask, sweepEmails } from './email-schools.ts'
import { mergeTask } from './merge.ts'
import { mergeFollower, sweepMerges } from './merge-job.ts'
import { privacyTask } from './privacy.ts'
import { privacyRunner, sweepPrivacy } from './privacy-run.ts'

export const peopleSweepTask = 'people.sweep'

export const peopleTasks = (app: App): Tasks => ({
  [mergeTask]: mergeFollower(app),
  [emailTask]: schoolEmailTask(app),
  [privacyTask]: privacyRunner(app),
  [peopleSweepTask]: async () => {
    await sweepMerges(app)
    await sweepEmails(app)
    await sweepPrivacy(app)
    return undefined
  },
})
