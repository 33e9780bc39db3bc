const names = ['accent', 'background', 'font', 'radius', 'colour-scheme'] as const

/**
 * What the page's CSS says about us. The frame is another document, so custom properties do not reach it by
 * themselves; it takes only what looks like a colour, a font or a length.
 */
export function themeFor(element: Element): Readonly<Record<string, string>> {
  const style = getComputedStyle(element)
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--bursar-${name}`).trim()]))
}
