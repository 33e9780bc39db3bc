const chanceBytes = 16

/** 128 bits nobody guesses, in hex. Not `randomUUID`, which a page without TLS does not have. */
export const chance = (): string =>
  [...crypto.getRandomValues(new Uint8Array(chanceBytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
