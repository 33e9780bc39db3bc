// The payment fields, alone in the Payment Element and inside the embedded page.
import { formatExpiry, formatNumber, problemsOf } from './card.js'

const names = { card: ['number', 'expiry', 'cvc'], sepa_debit: ['iban', 'holder'] }
const byId = (id) => document.getElementById(id)
const chosen = () => document.querySelector('input[name=method]:checked').value
const valuesOf = (method) => Object.fromEntries(names[method].map((name) => [name, byId(name).value]))

/** Says at each field what is wrong with it, for eyes and for screen readers. */
function show(method, problems) {
  for (const name of names[method]) {
    const problem = problems[name] ?? ''
    byId(`${name}-error`).textContent = problem
    byId(name).setAttribute('aria-invalid', String(problem !== ''))
  }
}

/** What a `change` event tells the page. */
export function stateOfFields() {
  const method = chosen()
  const values = valuesOf(method)
  return {
    empty: Object.values(values).every((value) => value.trim() === ''),
    complete: Object.keys(problemsOf(method, values)).length === 0,
    collapsed: false,
    value: { type: method },
  }
}

/** The details as entered, or the first problem, which is then shown and has the focus. */
export function readFields() {
  const method = chosen()
  const values = valuesOf(method)
  const problems = problemsOf(method, values)
  show(method, problems)
  const [first] = Object.keys(problems)
  if (first === undefined) return { method: { type: method, ...values }, problem: null }
  byId(first).focus()
  return { method: null, problem: problems[first] }
}

export function clearFields() {
  for (const name of Object.values(names).flat()) byId(name).value = ''
}

export const focusFields = () => byId(names[chosen()][0]).focus()

function format(input, by) {
  input.addEventListener('input', (event) => {
    // Deleting a separator must not put it straight back.
    if (event.inputType?.startsWith('delete')) return
    input.value = by(input.value)
  })
}

/** Wires the fields up; `changed` is called after every input. */
export function startFields(changed) {
  format(byId('number'), formatNumber)
  format(byId('expiry'), formatExpiry)
  for (const radio of document.querySelectorAll('input[name=method]'))
    radio.addEventListener('change', () => {
      for (const method of Object.keys(names)) byId(`method-${method}`).hidden = method !== chosen()
    })
  for (const [method, list] of Object.entries(names))
    for (const name of list)
      byId(name).addEventListener('blur', () => {
        const problem = byId(name).value === '' ? undefined : problemsOf(method, valuesOf(method))[name]
        byId(`${name}-error`).textContent = problem ?? ''
        byId(name).setAttribute('aria-invalid', String(problem !== undefined))
      })
  byId('fields').addEventListener('input', () => changed(stateOfFields()))
}

const variables = {
  colorPrimary: '--accent',
  colorBackground: '--page',
  colorText: '--text',
  colorTextSecondary: '--muted',
  colorDanger: '--error',
  borderRadius: '--radius',
  fontFamily: '--font',
  fontSizeBase: '--size',
}

/** The page's Appearance object: its theme, and the variables this fake has a use for. */
export function applyAppearance(appearance) {
  const root = document.documentElement
  root.dataset.theme = appearance?.theme === 'night' ? 'night' : 'day'
  for (const [name, property] of Object.entries(variables)) {
    const value = appearance?.variables?.[name]
    if (typeof value === 'string') root.style.setProperty(property, value)
    else root.style.removeProperty(property)
  }
}
