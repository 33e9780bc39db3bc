import { setScriptOrigin } from './base.ts'
import { defineElements } from './elements.ts'

setScriptOrigin((document.currentScript as HTMLScriptElement | null)?.src)
defineElements()
