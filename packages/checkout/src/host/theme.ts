const names = ['accent', 'background', 'font', 'radius'] as const

/**
 * What the page's CSS says about us. The frame is another document, so custom properties do not reach it by
 * themselves; it takes only what looks like a colour, a font or a length. Light or dark is as the page itself, and the
 * visitor's own wish only where the page follows it too.
 */
export function themeFor(element: Element): Readonly<Record<string, string>> {
  const style = getComputedStyle(element)
  const read = (name: string) => style.getPropertyValue(`--bursar-${name}`).trim()
  const { colorScheme } = style
  const own = /dark/.test(colorScheme) ? colorScheme : 'light'
  return {
    ...Object.fromEntries(names.map((name) => [name, read(name)])),
    'colour-scheme': read('colour-scheme') || own,
  }
}
