// The Payment Element's frame. What is typed here goes to the API and never to the page around it.
import { ask, serve, tellHeight } from './channel.js'
import { applyAppearance, clearFields, focusFields, readFields, startFields, stateOfFields } from './fields.js'

let key = ''
let tell = () => undefined

async function confirm({ clientSecret, email, billingAddress }) {
  const { method, problem } = readFields()
  if (problem !== null) return { type: 'error', error: { message: problem, code: null } }
  return ask('confirm', { key, clientSecret, method, email, billingAddress })
}

startFields((state) => tell('change', state))
document.getElementById('fields').addEventListener('submit', (event) => event.preventDefault())
addEventListener('focusin', () => tell('focus', {}))
addEventListener('focusout', () => tell('blur', {}))

serve(
  {
    confirm,
    validate: () => readFields().problem,
    focus: focusFields,
    blur: () => document.activeElement?.blur(),
    clear: () => {
      clearFields()
      tell('change', stateOfFields())
    },
    appearance: applyAppearance,
  },
  (greeting, say) => {
    key = greeting.key
    tell = say
    applyAppearance(greeting.appearance)
    for (const input of document.querySelectorAll('#fields input')) input.disabled = greeting.readOnly
    tellHeight(say)
    say('ready', {})
  },
)
