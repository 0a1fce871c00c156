// Doubtful words, one after the other: hear, correct, or say that it is right.
import { button, h, say } from '../base/dom.js'
import { percent, t } from '../base/words.js'

/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('../transcript/document.js').Line} Line */
/** @typedef {{line: string, index: number}} Doubt */

/**
 * What the review works with; without `edit` the transcript may only be read.
 * @typedef {object} Context
 * @property {Transcript} transcript
 * @property {import('../reader/text.js').TextView} text
 * @property {import('../reader/player.js').Player} player
 * @property {((line: string, at: number) => void) | null} edit
 * @property {(words: number[]) => void} confirm  tells the server that words are right
 * @property {() => void} closed
 */

const SURE = 0.5
const TELL_AFTER = 1500 // milliseconds: each telling is a revision, so those that follow soon go together

/** Return the doubtful words, in their order. @param {Transcript} transcript @returns {Doubt[]} */
export function doubts({ lines }) {
  const found = []
  for (const { id, words } of lines)
    for (let index = 0; index < words.text.length; index++) {
      const sure = words.confidence[index]
      if (sure !== null && sure < SURE && !words.reviewed[index]) found.push({ line: id, index })
    }
  return found
}

export class Review {
  /** @param {Context} context */
  constructor(context) {
    this.context = context
    this.place = 0
    /** @type {Doubt[]} */
    this.doubts = []
    /** Words that were said to be right, and not told yet. @type {Doubt[]} */
    this.right = []
    /** @type {any} */
    this.telling = 0
    this.word = h('b', { class: 'read', dir: 'auto' })
    this.sure = h('span', { class: 'quiet num wide' })
    this.count = h('span', { class: 'num' })
    const { edit } = context
    this.el = h(
      'section',
      { class: 'review', 'aria-label': t('review.label') },
      h(
        'span',
        { class: 'row tight' },
        button(t('review.previous'), { glyph: 'up', bare: true, onclick: () => this.step(-1) }),
        button(t('review.next'), { glyph: 'down', bare: true, onclick: () => this.step(1) }),
      ),
      this.count,
      this.word,
      this.sure,
      h('span', { class: 'grow' }),
      button(t('review.hear'), { glyph: 'play', kind: 'small', onclick: () => this.hear() }),
      edit && button(t('review.correct'), { glyph: 'edit', kind: 'small', onclick: () => this.correct() }),
      edit && button(t('review.right'), { glyph: 'check', kind: 'small main', onclick: () => this.confirm() }),
      button(t('act.close'), { glyph: 'close', bare: true, onclick: () => context.closed() }),
    )
    this.update()
    this.step(0)
  }

  /** Find the doubtful words again: some may be settled. */
  update() {
    this.doubts = doubts(this.context.transcript)
    this.context.text.paint.mark(
      'doubt',
      this.doubts.map(({ line, index }) => this.#span(line, index)),
    )
    this.place = Math.min(this.place, Math.max(0, this.doubts.length - 1))
    this.#show()
  }

  /** Go to another doubtful word. @param {number} by */
  step(by) {
    if (!this.doubts.length) return
    this.place = (this.place + by + this.doubts.length) % this.doubts.length
    const { line, index } = this.doubts[this.place]
    const words = this.#line(line).words
    this.context.player.seek(words.start[index] + 0.001)
    this.context.text.spans.get(line)?.scrollIntoView({ block: 'center' })
    this.#show()
    say(t('review.said', { i: this.place + 1, n: this.doubts.length, word: words.text[index] }))
  }

  hear() {
    const { line, index } = this.doubts[this.place] ?? {}
    if (line === undefined) return
    const { start, end } = this.#line(line).words
    this.context.player.hear(Math.max(0, start[index] - 1), end[index] + 0.6)
  }

  correct() {
    const { line, index } = this.doubts[this.place] ?? {}
    if (line) this.context.edit?.(line, this.#line(line).words.at[index] + this.#line(line).words.text[index].length)
  }

  /** Say that the word is right: here at once, to the server with those that follow soon. */
  confirm() {
    const doubt = this.doubts[this.place]
    if (!doubt) return
    this.#line(doubt.line).words.reviewed[doubt.index] = true
    this.right.push(doubt)
    clearTimeout(this.telling)
    this.telling = setTimeout(() => this.#tell(), TELL_AFTER)
    this.update()
    this.step(0)
  }

  close() {
    this.#tell()
    this.context.text.paint.mark('doubt', [])
    this.el.remove()
  }

  #tell() {
    clearTimeout(this.telling)
    const firsts = this.context.transcript.firstWords()
    const words = this.right.splice(0).map(({ line, index }) => (firsts.get(line) ?? Number.NaN) + index)
    const there = words.filter((word) => !Number.isNaN(word))
    if (there.length) this.context.confirm(there)
  }

  #show() {
    const doubt = this.doubts[this.place]
    this.count.textContent = doubt ? t('find.place', { i: this.place + 1, n: this.doubts.length }) : t('review.none')
    this.word.textContent = doubt ? this.#line(doubt.line).words.text[doubt.index] : ''
    this.sure.textContent = doubt
      ? t('review.sure', { percent: percent(this.#line(doubt.line).words.confidence[doubt.index] ?? 0) })
      : ''
  }

  /** @param {string} id @returns {Line} */
  #line(id) {
    return /** @type {Line} */ (this.context.transcript.line(id))
  }

  /** @param {string} id @param {number} index @returns {import('../reader/paint.js').Span} */
  #span(id, index) {
    const { at, text } = this.#line(id).words
    return [id, at[index], text[index].length]
  }
}
