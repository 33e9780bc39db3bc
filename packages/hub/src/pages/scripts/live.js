// Asks how the thing on this page stands and shows the page anew when that has changed. Hidden pages do not ask.
;(() => {
  const everyMs = 2000
  const slowAfter = 30
  const slowMs = 15000
  let asked = 0
  let known = null
  const ask = async () => {
    asked += 1
    try {
      const answer = await window.fetch(location.href, { headers: { accept: 'application/json' }, cache: 'no-store' })
      const now = answer.ok ? JSON.stringify((await answer.json()).live ?? null) : known
      if (known !== null && now !== known) return location.reload()
      known = now
    } catch {
      // The network is away for a moment; the next round asks again.
    }
    wait()
  }
  const wait = () => {
    setTimeout(() => (document.hidden ? wait() : ask()), asked < slowAfter ? everyMs : slowMs)
  }
  ask()
})()
