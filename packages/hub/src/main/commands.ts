import type { TimelineWire } from '#reports/actions.ts'
import { renderTimeline } from '#reports/render.ts'
import type { CliDeps, Command } from '#surfaces/cli.ts'
import { doctor } from './commands-doctor.ts'
import { purchase } from './commands-purchase.ts'

/** What the command line can do beside asking actions of a hub. */
export const commands: Readonly<Record<string, Command>> = {
  start: {
    summary: 'Start the hub in this folder, as npm start does. Without settings: a demo school.',
    run: async () => {
      // The server with all it needs is loaded only by whoever starts one.
      const { start } = await import('./start.ts')
      return start()
    },
  },
  doctor,
  'demo purchase': purchase,
}

/** Answers that read best in their own form. */
export const renderers: NonNullable<CliDeps['renderers']> = {
  'timeline.get': (output) => renderTimeline(output as TimelineWire),
}
