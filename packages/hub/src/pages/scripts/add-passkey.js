// Adding a passkey. Without support in the browser the form stays hidden.
;(() => {
  const form = document.querySelector('form[data-add-passkey]')
  const supported = window.PublicKeyCredential?.parseCreationOptionsFromJSON !== undefined
  // Passkeys belong to a name; a host that is only a number can have none.
  const isNumber = /^[\d.]+$|^\[/.test(location.hostname)
  if (form === null || !supported || isNumber) return
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const problem = form.querySelector('[role=alert]')
    problem.hidden = true
    try {
      const asked = await window.fetch('/auth/passkey/generate-register-options')
      if (!asked.ok) throw new Error('refused')
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await asked.json())
      const credential = await navigator.credentials.create({ publicKey })
      const answer = await window.fetch('/auth/passkey/verify-registration', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ response: credential.toJSON() }),
      })
      if (!answer.ok) throw new Error('refused')
      form.submit()
    } catch {
      // Cancelled, or a proof that is too old: the sentence says both.
      problem.hidden = false
    }
  })
})()
