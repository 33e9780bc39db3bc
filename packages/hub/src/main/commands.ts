import type { TimelineWire } from '#reports/actions.ts'
import { renderTimeline } from '#reports/render.ts'
import type { CliDeps, Command } from '#surfaces/cli.ts'
import { doctor } from './commands-doctor.ts'
import { purchase } from './commands-purchase.ts'

/** What the command line can do beside asking actions of a hub. */
export const commands: Readonly<Record<string, Command>> = {
  start: {
    summary: 'Start the hub in this folder, as npm start does. Without settings: a demo school.',
    run: async (argv, deps) => {
      if (argv.length > 0) {
        deps.stdout('bursar start takes its settings from the environment: docs/reference/settings.md lists them.\n')
        return argv.some((word) => word === '--help' || word === '-h') ? 0 : 2
      }
      // The server with all it needs is loaded only by whoever starts one.
      const { startOrTell } = await import('./start.ts')
      return startOrTell()
    },
  },
  doctor,
  'demo purchase': purchase,
}

/** Answers that read best in their own form. */
export const renderers: NonNullable<CliDeps['renderers']> = {
  'timeline.get': (output) => renderTimeline(output as TimelineWire),
}
