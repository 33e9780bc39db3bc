import type { SimReply } from '#simulator/server.ts'
import type { IdentityWorld } from './world.ts'

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

/** The provider's own login page, for a browser. Whoever names an address it knows is let in. */
export const loginPage = (query: URLSearchParams, world: IdentityWorld): SimReply => ({
  status: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in</title></head><body><main>
<h1>Sign in to ${escapeHtml(world.flavour === 'auth0' ? 'the tenant' : 'the provider')}</h1>
<form method="post" action="/authorize?${escapeHtml(query.toString())}">
<label>E-mail <input name="username" type="email" required value="${escapeHtml(query.get('login_hint') ?? '')}"></label>
<button type="submit">Continue</button></form></main></body></html>`,
})
