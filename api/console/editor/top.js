// The top of a transcript: its title, what is known of it, the tools, and what one has to know.
import { button, h, notice, own, present } from '../base/dom.js'
import { popup } from '../base/popups.js'
import { clock, languageName, t } from '../base/words.js'
import { apart } from '../library/acts.js'
import { problemWords } from '../net/reasons.js'
import { doubts } from '../panels/review.js'

/** @typedef {import('./transcript.js').View} View */

export class Top {
  /** @param {View} view */
  constructor(view) {
    this.view = view
    this.title = h('h1', { class: 'title', tabindex: -1 })
    this.rename = button(t('transcript.rename'), {
      glyph: 'edit',
      bare: true,
      'aria-haspopup': 'dialog',
      onclick: () => this.#rename(),
    })
    this.facts = h('p', { class: 'meta soft num' })
    this.notes = h('div', { class: 'notes' })
    this.tools = h('div', { class: 'tools', role: 'toolbar', 'aria-label': t('transcript.tools') })
    this.doubts = button('', { glyph: 'doubt', kind: 'line', 'aria-pressed': 'false', onclick: () => view.reviewing() })
    this.el = h(
      'header',
      { class: 'thead' },
      h('div', { class: 'grow' }, h('div', { class: 'titleline' }, this.title, this.rename), this.facts),
      this.tools,
    )
    this.mode = ''
    this.update()
  }

  /** Show the transcript as it is now. Tools stay the same elements, so that focus stays where it is. */
  update() {
    const { transcript, live, review } = this.view
    this.title.replaceChildren(own(transcript.title, transcript.language))
    this.rename.hidden = !this.view.may
    this.facts.textContent = this.#known().join(' · ')
    const mode = live ? 'live' : 'whole'
    if (mode !== this.mode) this.tools.replaceChildren(...this.#tools())
    this.mode = mode
    this.doubts.setAttribute('aria-pressed', String(review !== null))
    this.doubts.lastElementChild?.replaceChildren(t('transcript.doubtful', { n: live ? 0 : doubts(transcript).length }))
    this.notes.replaceChildren(...this.#notices())
    document.title = `${transcript.title} · Graphophone`
  }

  /** Ask for another title. */
  #rename() {
    const { transcript, corrections } = this.view
    const input = h('input', {
      class: 'input grow',
      value: transcript.title,
      maxlength: 255,
      required: true,
      dir: 'auto',
    })
    input.setAttribute('aria-label', t('transcript.rename'))
    const send = (/** @type {Event} */ event) => {
      event.preventDefault()
      menu.hidePopover()
      const title = input.value.trim()
      if (title && title !== transcript.title) corrections.title(title)
    }
    const form = h(
      'form',
      { onsubmit: send },
      h('div', { class: 'row' }, input, button(t('act.rename'), { kind: 'main', type: 'submit' })),
    )
    const menu = popup(this.rename, form, t('transcript.rename'))
    input.select()
  }

  #known() {
    const { transcript, live } = this.view
    const { duration, language, speakers, revision } = transcript
    const state = revision > 1 ? t('transcript.corrected', { n: revision }) : t('transcript.asHeard')
    return [
      clock(duration),
      language && languageName(language),
      speakers.length > 0 && t('library.speakers', { n: speakers.length }),
      live ? t('transcript.now') : state,
    ].filter(Boolean)
  }

  #tools() {
    const { live, side } = this.view
    const find = side.button('find', t('transcript.find'), 'search')
    if (live) return [find, side.button('stages', t('library.stages'), 'history', 'narrow-only')]
    return [
      find,
      side.button('speakers', t('transcript.speakers'), 'people', 'narrow-only'),
      this.doubts,
      side.button('history', t('transcript.history'), 'history'),
      button(t('act.exportShort'), { glyph: 'export', kind: 'main', onclick: () => this.view.export() }),
    ]
  }

  #notices() {
    const { transcript, live, may } = this.view
    const { job, media } = transcript.facts
    const told = (/** @type {string} */ name) => [
      h('b', null, t(`transcript.${name}`)),
      ` ${t(`transcript.${name}Hint`)}`,
    ]
    const again = may && button(t('act.apartAgain'), { kind: 'line small', onclick: () => apart(job) })
    const [what, remedy] = job.problems.length ? problemWords(job.problems.at(-1)) : ['', '']
    return present([
      live && notice('', 'mark', told('stillListening')),
      job.state === 'PARTIAL' && notice('warn', 'warn', [h('b', null, what), ` ${remedy}`], [again]),
      !live && !may && notice('', 'people', told('readOnly')),
      !media?.playbackUrl && notice('warn', 'warn', told('noAudio')),
      !live && !transcript.lines.length && notice('', 'mark', told('noSpeech')),
    ])
  }
}
