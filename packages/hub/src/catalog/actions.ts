import type { Action } from '#action/define.ts'
import { create, get, list, pause, resume, rotateSecret, update } from './actions-connections.ts'
import { capabilities, probe } from './actions-probe.ts'

export const catalogActions: readonly Action[] = [
  create,
  update,
  list,
  get,
  pause,
  resume,
  rotateSecret,
  probe,
  capabilities,
]
