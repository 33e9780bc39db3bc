import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'

/** What the page below puts on `globalThis`. */
export type Seen = {
  readonly email: string | null
  readonly issuer: string
  readonly accessToken: string
  readonly refreshToken: string | null
}

// The page of an application that keeps no secret, with the library most of them use.
const page = `
import { UserManager, WebStorageStateStore } from 'oidc-client-ts'
const query = new URLSearchParams(location.search)
if (query.has('client')) sessionStorage.setItem('asked', location.search)
const asked = new URLSearchParams(sessionStorage.getItem('asked') ?? '')
const manager = new UserManager({
  authority: asked.get('issuer') ?? '',
  client_id: asked.get('client') ?? '',
  redirect_uri: location.origin + '/callback',
  post_logout_redirect_uri: location.origin + '/bye',
  response_type: 'code',
  scope: 'openid email offline_access',
  automaticSilentRenew: false,
  userStore: new WebStorageStateStore({ store: sessionStorage }),
})
const shown = (user) => user && {
  email: user.profile.email ?? null,
  issuer: user.profile.iss,
  accessToken: user.access_token,
  refreshToken: user.refresh_token ?? null,
}
const told = async (work) => {
  try {
    return { ok: true, value: shown(await work()) }
  } catch (error) {
    return { ok: false, problem: String(error) }
  }
}
globalThis.application = {
  signIn: () => manager.signinRedirect(),
  finish: (address) => told(() => manager.signinCallback(address)),
  renew: () => told(() => manager.signinSilent()),
  userInfo: async () => (await manager.getUser()) && (await (await fetch((await manager.metadataService.getUserInfoEndpoint()), { headers: { authorization: 'Bearer ' + (await manager.getUser()).access_token } })).json()),
  signOut: () => manager.signoutRedirect(),
}
document.querySelector('h1').textContent = location.pathname === '/bye' ? 'Signed out' : 'Application'
`

export type Site = { readonly origin: string; close(): Promise<void> }

/** Somebody's single-page application on an origin of its own: another host, so that it shares no cookie with the hub. */
export async function startSite(): Promise<Site> {
  const { outputFiles } = await build({
    stdin: { contents: page, resolveDir: import.meta.dirname, loader: 'js' },
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
  })
  const script = outputFiles[0]?.text ?? ''
  const server = createServer((request, response) => {
    const isScript = request.url === '/app.js'
    response
      .writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8' })
      .end(
        isScript
          ? script
          : '<!doctype html><html lang="en"><title>Application</title><link rel="icon" href="data:,"><h1>…</h1><script src="/app.js"></script></html>',
      )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
