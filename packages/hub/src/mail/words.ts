// Marks that turn the direction of what follows, and invisible spaces. Joiners stay: emoji and Persian need them.
const misleading = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu

/** Other people's words on one line, at most `max` characters: no control characters, nothing that hides. */
export const oneLine = (text: string, max: number): string =>
  cut(
    text
      .replace(misleading, '')
      .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Zs}]+/gu, ' ')
      .trim(),
    max,
  )

/** The same with line breaks kept, for a personal message. */
export const severalLines = (text: string, max: number): string =>
  cut(
    text
      .replace(misleading, '')
      .replace(/\r\n?|[\p{Zl}\p{Zp}]/gu, '\n')
      .replace(/[^\P{Cc}\n]+/gu, ' ')
      .replace(/\n{3,}/g, '\n\n')
      .trim(),
    max,
  )

// By code points: half a surrogate pair is no text.
const cut = (text: string, max: number): string => {
  if (text.length <= max) return text
  const points = [...text]
  return points.length <= max
    ? text
    : `${points
        .slice(0, max - 1)
        .join('')
        .trimEnd()}…`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as HTML shows it, in an element or a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c)
