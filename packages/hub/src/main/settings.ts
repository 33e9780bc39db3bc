/** One setting: its name in the environment, what it means, and how its text is read. */
export type Setting<T> = {
  readonly name: string
  readonly meaning: string
  /** As shown in the manual; `null` when there is none. */
  readonly default: string | null
  readonly secret: boolean
  /** Other names it is known by. */
  readonly aliases: readonly string[]
  /** Throws a sentence that says what is expected. */
  readonly read: (text: string | undefined) => T
}

type Options = { readonly secret?: boolean; readonly aliases?: readonly string[] }

const setting = <T>(
  name: string,
  meaning: string,
  fallback: string | null,
  read: (text: string | undefined) => T,
  options: Options = {},
): Setting<T> => ({
  name,
  meaning,
  default: fallback,
  secret: options.secret ?? false,
  aliases: options.aliases ?? [],
  read,
})

export const text = (name: string, meaning: string, fallback: string, options?: Options): Setting<string> =>
  setting(name, meaning, fallback, (value) => value ?? fallback, options)

export const optional = (name: string, meaning: string, options?: Options): Setting<string | null> =>
  setting<string | null>(name, meaning, null, (value) => value ?? null, options)

export const whole = (
  name: string,
  meaning: string,
  fallback: number,
  range: { min: number; max: number },
): Setting<number> =>
  setting(name, `${meaning} From ${range.min} to ${range.max}.`, String(fallback), (value) => {
    if (value === undefined) return fallback
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < range.min || number > range.max)
      throw new Error(`must be a whole number from ${range.min} to ${range.max}`)
    return number
  })

export const choice = <const T extends string>(
  name: string,
  meaning: string,
  values: readonly T[],
  fallback: T,
): Setting<T> =>
  setting(name, `${meaning} One of: ${values.join(', ')}.`, fallback, (value) => {
    if (value === undefined) return fallback
    const found = values.find((v) => v === value)
    if (found === undefined) throw new Error(`must be one of: ${values.join(', ')}`)
    return found
  })

export const flag = (name: string, meaning: string): Setting<boolean | null> =>
  setting<boolean | null>(name, `${meaning} true or false.`, null, (value) => {
    if (value === undefined) return null
    if (value === 'true' || value === '1') return true
    if (value === 'false' || value === '0') return false
    throw new Error('must be true or false')
  })

export const address = (
  name: string,
  meaning: string,
  fallback: string | null,
  options?: Options,
): Setting<string | null> =>
  setting<string | null>(
    name,
    meaning,
    fallback,
    (value) => {
      const given = value ?? fallback
      if (given === null) return null
      if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol))
        throw new Error('must be an http or https address')
      return given.replace(/\/+$/, '')
    },
    options,
  )

/** A setting that holds several values, separated by commas. */
export const listed = (text: string | null): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
