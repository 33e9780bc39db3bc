import type { Ctx } from '#action/context.ts'
import type { Database } from '#db/database.ts'
import type { SignedIn } from '#identity/signed-in.ts'

/** What people's procedures need of the systems people sign in with. `main` provides them once per process. */
export type SignInSystems = {
  /** Whom a session token speaks for, as a request with `Authorization: Bearer` would be answered. */
  readonly readToken: (token: string) => Promise<SignedIn | 'invalid' | null>
  /** The built-in provider. It is the installation's, so a user may be known in several organizations. */
  readonly builtIn: {
    /** Removes the user with everything it can sign in with; unknown is done too. */
    readonly deleteUser: (subject: string) => Promise<unknown>
    /** Ends all sessions of the user. */
    readonly revokeAll: (subject: string) => Promise<unknown>
    /** What is kept of the user, without secrets; null when there is none. */
    readonly exportUser: (subject: string) => Promise<object | null>
  }
}

const provided = new WeakMap<Database, SignInSystems>()

/** Called once where the process is put together. */
export const provideSignIn = (db: Database, systems: SignInSystems): void => void provided.set(db, systems)

/** Throws when `main` has not provided them: that is a bug. */
export function signInOf(ctx: Pick<Ctx, 'db'>): SignInSystems {
  const systems = provided.get(ctx.db)
  if (systems === undefined) throw new Error('the systems people sign in with were not provided')
  return systems
}
