import type { SimReply, SimRequest } from '../../../simulator/server.ts'
import type { School } from './state.ts'

export const htmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** One page of the school as a visitor sees it. */
export const html = (school: School, title: string, body: string, status = 200, headers = {}): SimReply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8', ...headers },
  body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${htmlText(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#1d2733}
header{color:#5b6b7b;border-bottom:1px solid #d9e0e7;padding-bottom:.5rem;margin-bottom:1.5rem}
progress{width:100%;height:.6rem}button{font:inherit;padding:.4rem 1rem;margin-right:.5rem}</style></head>
<body><header>${htmlText(school.name)} (simulated school)</header>${body}</body></html>`,
})

export const originOf = (school: School, request: SimRequest): string =>
  school.origin ?? `http://${request.headers.host ?? 'localhost'}`

export const sessionCookie = (userId: string): string => `school_user=${userId}; Path=/; HttpOnly; SameSite=Lax`

/** The value of a cookie the browser sent. */
export function cookieOf(request: SimRequest, name: string): string | null {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=')
    if (part.slice(0, at).trim() === name) return part.slice(at + 1).trim()
  }
  return null
}
