// Asks how the thing on this page stands and shows the page anew when that has changed. Hidden pages do not ask.
;(() => {
  const everyMs = 2000
  const slowAfter = 30
  const slowMs = 15000
  let asked = 0
  // Whoever has pressed something is on their way: a reload would call them back.
  let leaving = false
  window.addEventListener('beforeunload', () => {
    leaving = true
  })
  const shown = document.querySelector('main').dataset.live
  const ask = async () => {
    asked += 1
    try {
      const answer = await window.fetch(location.href, { headers: { accept: 'application/json' }, cache: 'no-store' })
      if (answer.ok && (await answer.json()).live !== shown && !leaving) return location.reload()
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
