import { isInsidePath } from '#entitlements/launch-path.ts'

/** Where to go after signing in: a path of this hub. Anything else, and whatever cannot be read, is `fallback`. */
export const returnPath = (wish: unknown, fallback: string): string =>
  typeof wish === 'string' && isInsidePath(wish) ? wish : fallback

/** The sign-in page, coming back to a path of this hub; the address is only a suggestion for its field. */
export function signInPath(back: string, hint: string | null = null): string {
  const query = new URLSearchParams({ return: back, ...(hint === null ? {} : { login_hint: hint }) })
  return `/sign-in?${query}`
}
