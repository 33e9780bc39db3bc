import './core.ts'
import { learn, words } from '#language.ts'
import { englishGift } from '#texts/gift.ts'
import { dayOf, morningOf } from './browser.ts'
import { heading, html, onSubmit, submitButton, type TemplateResult } from './view.ts'

learn(englishGift)

/** What is left empty is left out. */
export type GiftInput = {
  readonly email?: string
  readonly name?: string
  readonly from?: string
  readonly message?: string
  readonly sendAt?: string
}

/** For whom a gift is, from whom, and when it is to arrive. */
export function giftView(done: (gift: GiftInput) => void): TemplateResult {
  const submit = (form: HTMLFormElement) => {
    const { day, ...texts } = Object.fromEntries(
      [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]).filter(([, value]) => value !== ''),
    ) as Readonly<Record<string, string>>
    done({ ...texts, ...(day === undefined ? {} : { sendAt: morningOf(day) }) })
  }
  return html`${heading(words.t_giftTitle)}<form @submit=${onSubmit(submit)}>
    <label>${words.t_giftEmail}<input name="email" type="email" autocomplete="off" maxlength="254"></label>
    <label>${words.t_giftName}<input name="name" autocomplete="off" maxlength="120"></label>
    <label>${words.t_giftFrom}<input name="from" autocomplete="name" maxlength="120"></label>
    <label>${words.t_giftMessage}<textarea name="message" rows="3" maxlength="500"></textarea></label>
    <label>${words.t_giftDay}<input name="day" type="date" min=${dayOf(1)} max=${dayOf(daysAheadMax)}></label>
    ${submitButton(words.t_next, false)}</form>`
}

// The hub keeps a gift for a year at most.
const daysAheadMax = 364
