import { setScriptOrigin } from './base.ts'
import { defineElements } from './elements.ts'

setScriptOrigin(import.meta.url)
defineElements()

export * from './elements.ts'
