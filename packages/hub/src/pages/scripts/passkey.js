// Signing in with a passkey. Without support in the browser the form stays hidden.
;(() => {
  const form = document.querySelector('form[data-passkey]')
  const supported = window.PublicKeyCredential?.parseRequestOptionsFromJSON !== undefined
  // Passkeys belong to a name; a host that is only a number can have none.
  const isNumber = /^[\d.]+$|^\[/.test(location.hostname)
  if (form === null || !supported || isNumber) return
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const problem = form.querySelector('[role=alert]')
    problem.hidden = true
    try {
      const asked = await window.fetch('/auth/passkey/generate-authenticate-options')
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await asked.json())
      const credential = await navigator.credentials.get({ publicKey })
      const answer = await window.fetch('/auth/passkey/verify-authentication', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ response: credential.toJSON() }),
      })
      if (!answer.ok) throw new Error('refused')
      form.submit()
    } catch {
      // Cancelled, unknown or refused: one sentence for all, and the other ways stay.
      problem.hidden = false
    }
  })
})()
