import { fill, words } from '#language.ts'
import { ask, type Seat } from './api.ts'
import { isEmbedded } from './link.ts'
import type { Session } from './memory.ts'
import { alertBox, button, define, heading, html, nothing, type TemplateResult, View } from './view.ts'

const titles = {
  open: () => words.t_coursesTitle,
  preparing: () => words.t_settingUpTitle,
  waiting: () => words.t_waitingTitle,
  closed: () => words.t_closedTitle,
} as const
const leads = {
  open: () => '',
  preparing: () => words.t_settingUp,
  waiting: () => words.t_waiting,
  closed: () => '',
} as const

/** The state that one sentence over all seats should tell: what is not ready yet counts more than what is. */
export const overall = (seats: readonly Seat[]): Seat['state'] =>
  (['waiting', 'preparing', 'open'] as const).find((state) => seats.some((seat) => seat.state === state)) ??
  (seats.length === 0 ? 'preparing' : 'closed')

/** Where the courses stand, and the way in. */
export class BursarSeats extends View {
  organization = ''
  session: Session | null = null
  #seats: readonly Seat[] = []
  #problem = ''
  #busy = false

  get seats(): readonly Seat[] {
    return this.#seats
  }
  set seats(seats: readonly Seat[]) {
    this.#seats = seats
    this.redraw()
  }

  /**
   * The school is entered by the whole window, with a form: the address that signs people in is made on this press
   * and never reaches a script, here or on the page around us.
   */
  async #open(enrollmentId: string): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    this.#problem = ''
    this.redraw()
    const { organization, session } = this
    const minted = isEmbedded()
      ? await ask<{ path: string; token: string }>(
          '/api/v1/launch.mint_own',
          { enrollmentId },
          { organization, session },
        )
      : null
    this.#busy = false
    if (minted?.ok === false) {
      this.#problem = words.t_cannotOpen
      return this.redraw()
    }
    const form = document.createElement('form')
    form.method = 'post'
    form.target = '_top'
    form.action = minted?.value.path ?? `/api/partner-launch/${enrollmentId}`
    if (minted !== null) {
      const input = document.createElement('input')
      input.type = 'hidden'
      input.name = 'token'
      input.value = minted.value.token
      form.append(input)
    }
    this.append(form)
    form.submit()
    form.remove()
    this.redraw()
  }

  protected override view(): TemplateResult {
    const state = overall(this.#seats)
    const many = this.#seats.length > 1
    const lead = leads[state]()
    return html`${heading(titles[state]())}
      <p role="status" class=${state === 'preparing' ? 'busy' : ''}>${lead}</p>
      <ul>${this.#seats.map((seat) => this.#seat(seat, many))}</ul>${alertBox(this.#problem)}`
  }

  #seat(seat: Seat, many: boolean): TemplateResult {
    const { enrollmentId } = seat
    return html`<li><strong>${seat.course}</strong> <small>${seat.school}</small>
      ${seat.message === '' || seat.state === 'open' ? nothing : html`<p>${seat.message}</p>`}
      ${seat.state !== 'open' || enrollmentId === null ? nothing : button(many ? fill(words.t_openNamed, { course: seat.course }) : words.t_open, () => void this.#open(enrollmentId), 'main', this.#busy)}</li>`
  }
}

export const defineSeats = (): void => define('bursar-seats', BursarSeats)
