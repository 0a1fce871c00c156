// Reading along: the spoken word lit and kept in sight, until one scrolls away.
import { button, still } from '../base/dom.js'
import { t } from '../base/words.js'
import { wordAt } from '../transcript/words.js'

/** @typedef {import('./text.js').TextView} TextView */
/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('./player.js').Player} Player */

const LOOK_EVERY = 250 // where the word stands is asked for four times a second, not every frame
const [TOP, BOTTOM, REST] = [110, 0.72, 0.36]

export class Reading {
  /** @param {TextView} text @param {Transcript} transcript */
  constructor(text, transcript) {
    this.text = text
    this.transcript = transcript
    this.looked = 0
    this.scrolled = 0
    this.gone = new AbortController()
    /** @type {Player | null} */
    this.player = null
    this.pill = button(t('player.toWord'), {
      glyph: 'follow',
      kind: 'main small pill',
      hidden: true,
      onclick: () => this.hold(),
    })
    const on = { passive: true, signal: this.gone.signal }
    addEventListener('wheel', () => this.#letGo(), on)
    addEventListener('touchmove', () => this.#letGo(), on)
    addEventListener(
      'keydown',
      (event) => ['PageDown', 'PageUp', 'Home', 'End'].includes(event.key) && this.#letGo(),
      on,
    )
  }

  /** Light what is spoken, and keep it in sight. @param {number} time @param {boolean} playing */
  tick(time, playing) {
    const line = this.transcript.lineAt(time)
    if (line) this.text.light(line, wordAt(line.words, time))
    else this.text.paint.dark()
    const now = performance.now()
    if (!this.player?.follow || this.text.editing || (playing && now - this.looked < LOOK_EVERY)) return
    this.looked = now
    const rect = this.text.rect()
    if (rect?.height && (rect.bottom > innerHeight * BOTTOM || rect.top < TOP)) this.show(rect)
  }

  /** Bring the spoken word into sight. @param {DOMRect | null} [rect] */
  show(rect = this.text.rect()) {
    if (!rect?.height) return
    this.scrolled = performance.now()
    const far = Math.abs(rect.top) > innerHeight * 2
    scrollTo({ top: scrollY + rect.top - innerHeight * REST, behavior: far || still() ? 'instant' : 'smooth' })
  }

  /** Follow again. */
  hold() {
    this.pill.hidden = true
    this.player?.following(true)
    this.show()
  }

  close() {
    this.gone.abort()
  }

  #letGo() {
    if (!this.player?.follow || !this.player.playing || performance.now() - this.scrolled < 900) return
    this.player.following(false)
    this.pill.hidden = false
  }
}
