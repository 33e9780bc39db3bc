// The Billing Address Element's frame.
import { serve, tellHeight } from './channel.js'
import { applyAppearance } from './fields.js'

const names = ['name', 'line1', 'city', 'postal_code', 'country']
const byId = (id) => document.getElementById(id)
let tell = () => undefined

function stateOfAddress() {
  const { name, ...address } = Object.fromEntries(names.map((id) => [id, byId(id).value.trim()]))
  const filled = [name, ...Object.values(address)]
  return {
    elementMode: 'billing',
    empty: filled.every((value) => value === ''),
    complete: filled.every((value) => value !== ''),
    isNewAddress: true,
    value: { name, address: { ...address, line2: null, state: null } },
  }
}

byId('fields').addEventListener('submit', (event) => event.preventDefault())
// On `change` and not on every key: each whole address asks the API for the tax.
byId('fields').addEventListener('change', () => tell('change', stateOfAddress()))
addEventListener('focusin', () => tell('focus', {}))
addEventListener('focusout', () => tell('blur', {}))

serve(
  {
    focus: () => byId('name').focus(),
    blur: () => document.activeElement?.blur(),
    clear: () => byId('fields').reset(),
    appearance: applyAppearance,
  },
  (greeting, say) => {
    tell = say
    applyAppearance(greeting.appearance)
    tellHeight(say)
    say('ready', {})
  },
)
