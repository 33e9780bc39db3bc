import { ask, serve } from './channel.js'

let key = ''
serve({ ask: ({ call, body }) => ask(call, { ...body, key }) }, (greeting) => {
  key = greeting.key
})
