import type { Texts } from '#texts.ts'
import type { html as Html, TemplateResult } from './view.ts'

export type GiftInput = { readonly email: string; readonly name: string; readonly message: string }

/** For whom a gift is. Takes what it draws with as arguments and imports nothing, so that only givers load it. */
export function giftView(html: typeof Html, words: Texts, done: (gift: GiftInput) => void): TemplateResult {
  const submit = (event: Event) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    const read = (name: string) => String(data.get(name) ?? '').trim()
    done({ email: read('email'), name: read('name'), message: read('message') })
  }
  return html`<h2 tabindex="-1">${words.t_giftTitle}</h2><form @submit=${submit}>
    <label>${words.t_giftEmail}<input name="email" type="email" autocomplete="off" maxlength="254"></label>
    <label>${words.t_giftName}<input name="name" autocomplete="off" maxlength="120"></label>
    <label>${words.t_giftMessage}<textarea name="message" rows="3" maxlength="500"></textarea></label>
    <button class="main">${words.t_next}</button></form>`
}
