// What can be said about card and bank details without asking the bank. Pure; tested without a browser.

const digitsOf = (text) => text.replace(/\D/g, '')

/** Groups of four, as printed on the card. */
export const formatNumber = (text) =>
  digitsOf(text)
    .slice(0, 19)
    .replace(/(\d{4})(?=\d)/g, '$1 ')

/** `MM / YY` while it is typed; a first digit above 1 can only be a month of its own. */
export function formatExpiry(text) {
  const typed = digitsOf(text)
  const digits = (/^[2-9]/.test(typed) ? `0${typed}` : typed).slice(0, 4)
  return digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits
}

/** The check digit that every card number ends in. */
export function isLuhn(number) {
  const digits = [...digitsOf(number)].reverse().map(Number)
  const sum = digits.reduce((all, digit, i) => all + (i % 2 === 0 ? digit : ((digit * 2 - 1) % 9) + 1), 0)
  return digits.length >= 12 && sum % 10 === 0
}

function numberError(text) {
  const digits = digitsOf(text)
  if (digits.length < 12) return 'Your card number is incomplete.'
  return isLuhn(digits) ? null : 'Your card number is invalid.'
}

function expiryError(text) {
  const digits = digitsOf(text)
  if (digits.length < 4) return 'Your card’s expiration date is incomplete.'
  const month = Number(digits.slice(0, 2))
  return month >= 1 && month <= 12 ? null : 'Your card’s expiration date is invalid.'
}

const cvcError = (text) => (/^\d{3,4}$/.test(text.trim()) ? null : 'Your card’s security code is incomplete.')

const ibanError = (text) =>
  /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(text.replace(/\s/g, '').toUpperCase()) ? null : 'Your IBAN is invalid.'

const holderError = (text) => (text.trim() === '' ? 'The name of the account holder is missing.' : null)

/** By field, what is wrong with it; only fields of the chosen method. */
export function problemsOf(method, values) {
  const found =
    method === 'card'
      ? { number: numberError(values.number), expiry: expiryError(values.expiry), cvc: cvcError(values.cvc) }
      : { iban: ibanError(values.iban), holder: holderError(values.holder) }
  return Object.fromEntries(Object.entries(found).filter(([, problem]) => problem !== null))
}
