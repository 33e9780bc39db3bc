import { isInsidePath } from '#entitlements/launch-path.ts'

/** Where to go after signing in: a path of this hub. Anything else, and whatever cannot be read, is `fallback`. */
export const returnPath = (wish: unknown, fallback: string): string =>
  typeof wish === 'string' && isInsidePath(wish) ? wish : fallback

/** The sign-in page, coming back to a path of this hub; the address only fills its field, the slug chooses whose codes. */
export function signInPath(back: string, hint: string | null = null, organization: string | null = null): string {
  const query = new URLSearchParams({
    return: back,
    ...(hint === null ? {} : { login_hint: hint }),
    ...(organization === null ? {} : { organization }),
  })
  return `/sign-in?${query}`
}
