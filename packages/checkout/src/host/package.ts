import { setScriptOrigin } from './base.ts'
import { defineElements } from './elements.ts'

// From a package the file's own address says nothing about the hub; the attribute `hub` does, or a script tag. On a
// server there is neither.
if (typeof document !== 'undefined') setScriptOrigin(undefined)
defineElements()

export * from './elements.ts'
