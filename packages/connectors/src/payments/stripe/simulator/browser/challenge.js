// The bank's question (3-D Secure). A real bank shows its own page here.
import { ask, serve } from './channel.js'

let greeting = null
let tell = () => undefined
const dialog = document.querySelector('dialog')
const buttons = dialog.querySelectorAll('button')

async function answer(passed) {
  if (greeting === null) return
  for (const button of buttons) button.disabled = true
  tell('done', await ask('challenge', { ...greeting, passed }))
}

document.getElementById('complete').addEventListener('click', () => answer(true))
document.getElementById('fail').addEventListener('click', () => answer(false))
dialog.addEventListener('cancel', (event) => {
  event.preventDefault()
  answer(false)
})
dialog.showModal()

serve({}, ({ key, clientSecret }, say) => {
  greeting = { key, clientSecret }
  tell = say
})
