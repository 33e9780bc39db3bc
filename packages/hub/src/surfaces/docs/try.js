// Sends the "try it" forms of the API page. Plain browser JavaScript, served as it is.
const key = document.querySelector('#key')
document.querySelector('#key-form').addEventListener('submit', (event) => event.preventDefault())

for (const form of document.querySelectorAll('form.try')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    send(form)
  })
}

async function send(form) {
  const out = form.querySelector('output')
  const button = form.querySelector('button')
  const dryRun = form.elements.namedItem('dry-run')
  const headers = { 'content-type': 'application/json' }
  if (key.value.trim() !== '') headers.authorization = `Bearer ${key.value.trim()}`
  if (dryRun !== null) {
    headers['x-bursar-dry-run'] = String(dryRun.checked)
    // Made per click: a person who clicks twice means it, a browser that repeats by itself does not.
    headers['idempotency-key'] = crypto.randomUUID?.() ?? `page-${performance.now()}-${Math.random()}`
  }
  button.disabled = true
  out.textContent = 'Waiting for the answer …'
  try {
    const body = form.elements.namedItem('input').value
    const response = await fetch(`/api/v1/${form.dataset.action}`, { method: 'POST', headers, body })
    const dry = response.headers.get('x-bursar-dry-run') === 'true' ? ' (dry run, nothing was changed)' : ''
    out.textContent = `${response.status}${dry}\n${pretty(await response.text())}`
  } catch (error) {
    out.textContent = `No answer from the hub: ${error.message}`
  } finally {
    button.disabled = false
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    // Not JSON, for example from a proxy in between: shown as it came.
    return text
  }
}
