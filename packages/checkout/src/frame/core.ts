/**
 * What every step needs. Each part that loads later imports this file, so that the bundler keeps all of it in one file
 * beside the entry instead of one for each pair of parts that share something.
 */
import '#chance.ts'
import '#language.ts'
import '#protocol.ts'
import './api.ts'
import './browser.ts'
import './link.ts'
import './memory.ts'
import './view.ts'
