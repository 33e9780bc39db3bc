// Hands a one-time code to the frame that opened this window, on our own origin and to nobody else, and closes.
;(() => {
  const given = document.querySelector('[data-code]')
  if (window.opener === null || given === null) return
  window.opener.postMessage({ type: 'bursar:sign-in', code: given.dataset.code, error: null }, location.origin)
  window.close()
})()
