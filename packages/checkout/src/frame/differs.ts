import './core.ts'
import { fill, learn, words } from '#language.ts'
import { englishDiffers } from '#texts/differs.ts'
import { button, heading, html, type TemplateResult } from './view.ts'

learn(englishDiffers)

type Differing = {
  readonly paid: string
  readonly signed: string
  readonly yes: () => void
  readonly no: () => void
}

/** Signed in with another address than the paid one: both are shown, and a press decides. */
export const differsView = ({ paid, signed, yes, no }: Differing): TemplateResult =>
  html`${heading(words.t_differsTitle)}<p>${fill(words.t_differs, { paid, signed })}</p>
    ${button(fill(words.t_differsYes, { signed }), yes, 'main')}${button(words.t_differsNo, no, 'plain')}`
