import type { FastifyReply } from 'fastify'
import type { Provider } from '#identity/provider/provider.ts'
import { type PageRequest, sendPage } from '../answer.ts'
import { html } from '../html.ts'
import { scriptOf } from '../page.ts'
import { card } from '../parts.ts'
import { texts } from '../texts.ts'

const script = scriptOf('hand-over')

/**
 * The strict policy of our pages would cut a popup off from the frame that waits for it. What such a window shows is
 * the same; only its opener may still be spoken to, and it is spoken to on our own origin alone.
 */
export const openToOpener = (reply: FastifyReply): FastifyReply =>
  reply.header('cross-origin-opener-policy', 'unsafe-none')

/** Ends a sign-in that a frame began in a window: the frame gets the session by a code, the window keeps its cookie. */
export async function handOver(
  provider: Pick<Provider, 'handOver'>,
  request: PageRequest,
  reply: FastifyReply,
  cookies: readonly string[],
): Promise<FastifyReply | null> {
  const fresh = cookies.map((cookie) => cookie.split(';')[0] ?? '')
  const cookie = [request.headers.cookie ?? '', ...fresh].filter((c) => c !== '').join('; ')
  // The form has been let in as one of our own already.
  const code = await provider.handOver({ method: 'POST', headers: { cookie, 'sec-fetch-site': 'same-origin' } })
  if (code === null) return null
  return sendPage(openToOpener(reply), {
    title: texts.signIn.handedTitle,
    body: card(html`<p data-code="${code}">${texts.signIn.handed}</p>`),
    scripts: [script],
  })
}
