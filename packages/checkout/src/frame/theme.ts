import type { Theme } from '#protocol.ts'

/** A colour of the page in numbers from 0 to 255, whatever notation it came in. */
function channels(colour: string): readonly number[] {
  const context = document.createElement('canvas').getContext('2d')
  if (context === null) return [0, 0, 0]
  context.fillStyle = colour
  context.fillRect(0, 0, 1, 1)
  return [...context.getImageData(0, 0, 1, 1).data]
}

/** WCAG's relative luminance, with the plain exponent: the difference is below a hundredth. */
const luminance = (colour: string): number => {
  const [r = 0, g = 0, b = 0] = channels(colour).map((c) => (c / 255) ** 2.2)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

// Where black and white are equally far away: (1.05 / (L + 0.05) = (L + 0.05) / 0.05).
const middle = 0.179

/** The page's wishes. Words on the accent and on the background are black or white, whichever can be read. */
export function applyTheme(theme: Theme): void {
  const { style } = document.documentElement
  // An empty value takes the property away again.
  const set = (name: string, value: string) => style.setProperty(name, value)
  set('--b-accent', theme.accent)
  set('--b-on', theme.accent === '' ? '' : luminance(theme.accent) > middle ? '#000' : '#fff')
  set('--b-bg', theme.background)
  set('--b-font', theme.font)
  set('--b-radius', theme.radius)
  const scheme =
    theme.background === '' ? theme['colour-scheme'] : luminance(theme.background) > middle ? 'light' : 'dark'
  set('color-scheme', scheme)
}

/** The same look for the provider's fields, which live in a frame of their own. */
export function appearance(): object {
  const root = getComputedStyle(document.documentElement)
  const { color, backgroundColor, fontFamily } = getComputedStyle(document.body)
  return {
    theme: luminance(backgroundColor) > middle ? 'stripe' : 'night',
    variables: {
      colorPrimary: root.getPropertyValue('--b-accent').trim(),
      colorText: color,
      colorBackground: backgroundColor,
      fontFamily,
      borderRadius: root.getPropertyValue('--b-radius').trim(),
    },
  }
}
