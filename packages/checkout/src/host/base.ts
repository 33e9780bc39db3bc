/** Where this script came from; a module knows by itself, a classic script only while it runs. */
let scriptOrigin = ''
export function setScriptOrigin(address: string | undefined): void {
  // A classic script that somebody loads as a module knows neither; its tag does.
  const src = address ?? document.querySelector<HTMLScriptElement>('script[src*="/bursar-checkout."]')?.src ?? ''
  scriptOrigin = URL.canParse(src) ? new URL(src).origin : ''
}

const attributes = [
  'hub',
  'organization',
  'prices',
  'email',
  'mode',
  'order-ref',
  'gift',
  'promotion-code',
  'return-url',
  'lang',
  'label',
] as const

const propertyOf = (attribute: string): string => attribute.replace(/-(\w)/g, (_, c: string) => c.toUpperCase())

/** Attributes and properties, in both directions. There is none for amounts, currencies or keys: the hub decides those. */
// A page may be rendered where there is no HTMLElement; the import must not fail there.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement

export abstract class BursarBase extends Base {
  static readonly observedAttributes: readonly string[] = attributes

  read(attribute: string): string {
    return this.getAttribute(attribute) ?? ''
  }

  /** The hub's origin, which every message is checked against. */
  get hubOrigin(): string {
    const hub = this.read('hub')
    return URL.canParse(hub) ? new URL(hub).origin : scriptOrigin
  }
}

for (const attribute of attributes) {
  const name = propertyOf(attribute)
  if (name === 'lang') continue
  Object.defineProperty(BursarBase.prototype, name, {
    configurable: true,
    enumerable: true,
    get(this: BursarBase) {
      return name === 'gift' ? this.hasAttribute(attribute) : this.read(attribute)
    },
    set(this: BursarBase, value: unknown) {
      if (value === null || value === undefined || value === false) this.removeAttribute(attribute)
      else this.setAttribute(attribute, value === true ? '' : Array.isArray(value) ? value.join(' ') : String(value))
    },
  })
}

/** Properties that a framework set before the element was defined would hide the accessors; set them anew. */
export function adoptProperties(element: BursarBase): void {
  const own = element as unknown as Record<string, unknown>
  for (const name of attributes.map(propertyOf)) {
    if (!Object.hasOwn(own, name)) continue
    const value = own[name]
    delete own[name]
    own[name] = value
  }
}

export const sheetOf = (css: string): CSSStyleSheet[] => {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(css)
  return [sheet]
}
