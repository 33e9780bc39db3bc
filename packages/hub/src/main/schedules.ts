import type { App } from '#action/context.ts'

/** The schedules every hub has. */
export async function prepareSchedules(_app: App): Promise<void> {}
