import { CodedError } from './errors.ts'

// ISO 4217, active national currencies and fund codes, by the exponent of their minor unit. Metals, SDR and test codes
// have none and are not money here. ANG and BGN left the list in 2025 and 2026; orders in them can still be refunded.
const twoDecimals = `
  AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
  CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
  INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN
  NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
  SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`
const noDecimals = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'
const threeDecimals = 'BHD IQD JOD KWD LYD OMR TND'
const fourDecimals = 'CLF UYW'
// Counted in whole pieces by the same ledger; not ISO.
const points = 'PTS'

const codes = (text: string): string[] => text.trim().split(/\s+/)

const exponents: ReadonlyMap<string, number> = new Map(
  (
    [
      [twoDecimals, 2],
      [noDecimals, 0],
      [threeDecimals, 3],
      [fourDecimals, 4],
      [points, 0],
    ] as const
  ).flatMap(([list, exponent]) => codes(list).map((code) => [code, exponent] as const)),
)

/** Upper case only: `usd` is a spelling of another system, translated at its edge. */
export const isCurrency = (code: string): boolean => exponents.has(code)

/** How many decimals the minor unit has: USD 2, JPY 0, BHD 3. Throws `input_invalid` for an unknown code. */
export function exponentOf(currency: string): number {
  const exponent = exponents.get(currency)
  if (exponent === undefined)
    throw new CodedError('input_invalid', `${JSON.stringify(currency.slice(0, 8))} is not an ISO 4217 currency.`)
  return exponent
}
