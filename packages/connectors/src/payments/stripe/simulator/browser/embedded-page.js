// The embedded page's frame: the whole form, from the items to the button.
import { ask, serve, tellHeight } from './channel.js'
import { readFields, startFields } from './fields.js'
import { askBank } from './frames.js'

const byId = (id) => document.getElementById(id)
let access = null
let home = ''
let tell = () => undefined
let pageOptions = { allowPromotionCodes: false, collectAddress: false, email: null }

const say = (text) => {
  byId('problem').textContent = text
  byId('problem').hidden = text === ''
}

const row = (label, amount) => {
  const line = document.createElement('tr')
  const name = document.createElement('th')
  name.scope = 'row'
  name.textContent = label
  const value = document.createElement('td')
  value.textContent = amount
  line.append(name, value)
  return line
}

/** Items and sums as the session says them now. */
function showSession(session) {
  const { total } = session
  const rows = session.lineItems.map((line) => row(`${line.quantity} × ${line.name}`, line.subtotal.amount))
  if (total.discount.minorUnitsAmount > 0) rows.push(row('Discount', `−${total.discount.amount}`))
  if (total.taxExclusive.minorUnitsAmount > 0) rows.push(row('Tax', total.taxExclusive.amount))
  if (total.taxInclusive.minorUnitsAmount > 0) rows.push(row('Tax, included', total.taxInclusive.amount))
  rows.push(row('Total', total.total.amount))
  byId('items').replaceChildren(...rows)
  byId('pay').textContent = `Pay ${total.total.amount}`
  byId('payment').hidden = total.total.minorUnitsAmount === 0 && session.lineItems.every((l) => l.recurring === null)
  const code = session.discountAmounts?.[0]?.promotionCode ?? null
  byId('promotion').hidden = !pageOptions.allowPromotionCodes
  byId('code').value = code ?? byId('code').value
  byId('remove').hidden = code === null
  byId('apply').hidden = code !== null
}

/** One call of the API with what it answers: a newer session, or a sentence for the buyer. */
async function change(call, body) {
  const answer = await ask(call, { ...access, ...body })
  say(answer.type === 'error' ? answer.error.message : '')
  if (answer.session !== undefined) showSession(answer.session)
  return answer
}

async function pay() {
  const email = byId('email')
  if (!email.reportValidity()) return
  const { method, problem } = byId('payment').hidden ? { method: null, problem: null } : readFields()
  if (problem !== null) return say(problem)
  const country = pageOptions.collectAddress ? byId('country').value : null
  const first = await change('confirm', {
    ...(method === null ? {} : { method }),
    email: email.value,
    ...(country === null ? {} : { billingAddress: { address: { country } } }),
  })
  const answer = first.type === 'challenge' ? await askBank(home, access) : first
  if (answer.type === 'error') return say(answer.error.message)
  byId('page').hidden = true
  byId('done').hidden = false
  tell('complete', { returnUrl: answer.returnUrl })
}

/** The button rests while one payment is on its way: a second click would be a second attempt. */
async function submit(event) {
  event.preventDefault()
  byId('pay').disabled = true
  try {
    await pay()
  } finally {
    byId('pay').disabled = false
  }
}

startFields(() => undefined)
byId('fields').addEventListener('submit', submit)
byId('apply').addEventListener('click', () => change('promotion', { code: byId('code').value }))
byId('remove').addEventListener('click', async () => {
  await change('promotion', { code: null })
  byId('code').value = ''
})
byId('country').addEventListener('change', () =>
  change('update', { billingAddress: { address: { country: byId('country').value } } }),
)

serve({}, async (greeting, tellPage) => {
  access = { key: greeting.key, clientSecret: greeting.clientSecret }
  home = greeting.home
  tell = tellPage
  const answer = await ask('session', { ...access, ui: 'embedded_page' })
  tellHeight(tellPage)
  if (answer.type === 'error') return say(answer.error.message)
  pageOptions = answer.page
  byId('email').value = pageOptions.email ?? ''
  byId('email').readOnly = pageOptions.email !== null
  byId('address').hidden = !pageOptions.collectAddress
  if (answer.session.billingAddress !== null) byId('country').value = answer.session.billingAddress.address.country
  showSession(answer.session)
})
