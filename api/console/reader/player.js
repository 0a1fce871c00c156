// The player: one clock (the audio element's), one waveform, one slider for everybody.
import { button, h, icon, pick } from '../base/dom.js'
import { clock, number, t } from '../base/words.js'
import { preferences } from '../base/preferences.js'
import { here } from '../net/session.js'
import { draw, waveform } from './waveform.js'

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
const STRIP = 9
export const STEP = 5

/**
 * @typedef {object} Source
 * @property {number} duration in seconds
 * @property {readonly number[]} peaks
 * @property {string | null} url
 * @property {() => Promise<string | null>} renew  asks for a new address, when the signed one has expired
 * @property {(seconds: number) => string} who  who speaks then
 * @property {() => Iterable<{speaker: number | null, start: number, end: number}>} turns
 * @property {(seconds: number, playing: boolean) => void} tick  each frame while it plays, and at each seek
 */

export class Player {
  /** @param {Source} source */
  constructor(source) {
    this.source = source
    this.follow = true
    this.stopAt = Number.POSITIVE_INFINITY
    this.version = 0
    this.renewed = 0
    this.wanted = 0 // where to be, while there is no sound to ask
    this.audio = new Audio()
    this.audio.preload = 'metadata'
    if (source.url) this.audio.src = here(source.url)
    this.pin = button(t('player.follow'), {
      glyph: 'follow',
      'aria-pressed': 'true',
      kind: 'small',
      title: t('player.followHint'),
      onclick: () => this.following(!this.follow),
    })
    this.#build()
    this.#listen()
  }

  #build() {
    const { duration } = this.source
    this.canvas = h('canvas', { class: 'wave', 'aria-hidden': 'true' })
    this.slider = h('input', {
      type: 'range',
      class: 'scrub',
      min: 0,
      max: Math.round(duration * 10),
      value: '0',
      step: '1',
      'aria-label': t('player.position'),
    })
    this.slider.addEventListener('input', () => this.seek(this.slider.value / 10))
    this.slider.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
      event.preventDefault()
      this.seek(this.time + (event.key === 'ArrowRight' ? STEP : -STEP))
    })
    this.clock = h('span', { class: 'num now-at' }, clock(0))
    this.toggle = h(
      'button',
      { type: 'button', class: 'playbtn', 'aria-label': t('player.play'), onclick: () => this.play() },
      icon('play'),
    )
    const speeds = SPEEDS.map((speed) => /** @type {[string, string]} */ ([String(speed), `${number(speed)}×`]))
    this.rate = pick(t('player.speed'), speeds, { value: '1', onchange: (value) => this.speed(Number(value)) })
    const tip = h('span', { class: 'tip num', hidden: true })
    this.slider.addEventListener('pointermove', (/** @type {PointerEvent} */ event) => {
      const at = this.slider.getBoundingClientRect()
      const part = Math.min(1, Math.max(0, (event.clientX - at.left) / at.width))
      tip.hidden = false
      tip.textContent = clock(part * duration)
      tip.style.setProperty('left', `${part * 100}%`)
    })
    this.slider.addEventListener('pointerleave', () => (tip.hidden = true))
    const step = (/** @type {string} */ words, /** @type {string} */ glyph, /** @type {number} */ by) =>
      button(words, { glyph, bare: true, onclick: () => this.seek(this.time + by) })
    this.el = h(
      'section',
      { class: 'dock', 'aria-label': t('player.label'), dir: 'ltr' },
      h(
        'div',
        { class: 'keys' },
        step(t('player.back'), 'back5', -STEP),
        this.toggle,
        step(t('player.ahead'), 'ahead5', STEP),
      ),
      h('div', { class: 'track' }, this.canvas, this.slider, tip),
      h('div', { class: 'times' }, this.clock, h('span', { class: 'quiet num' }, ` / ${clock(duration)}`)),
      h('div', { class: 'opts' }, this.rate, this.pin),
    )
    if (!this.source.url) for (const control of [this.toggle, this.rate.firstChild]) control.disabled = true
    waveform(this.canvas, () => this.#draw())
    this.#shown(0)
  }

  #listen() {
    this.audio.addEventListener('play', () => this.#playing(true))
    this.audio.addEventListener('pause', () => this.#playing(false))
    this.audio.addEventListener('loadedmetadata', () => (this.audio.currentTime = this.wanted))
    this.audio.addEventListener('seeked', () => this.#tick(false))
    this.audio.addEventListener('error', () => this.#renew())
  }

  /** Where it is, in seconds. */
  get time() {
    return this.audio.readyState ? this.audio.currentTime : this.wanted
  }

  get playing() {
    return !this.audio.paused
  }

  /** Play or pause. Pausing steps back a little, when that is wished. @param {boolean} [on] */
  play(on = !this.playing) {
    if (!this.source.url) return
    this.stopAt = Number.POSITIVE_INFINITY
    if (on) return void this.audio.play().catch(() => {})
    this.audio.pause()
    if (preferences.stepBack) this.seek(this.time - preferences.stepBack)
  }

  /** Play a part and stop. @param {number} start @param {number} end */
  hear(start, end) {
    this.seek(start)
    this.play(true)
    this.stopAt = end
  }

  /** Go to a time. @param {number} seconds */
  seek(seconds) {
    this.stopAt = Number.POSITIVE_INFINITY
    this.wanted = Math.max(0, Math.min(this.source.duration, seconds))
    if (this.audio.readyState) this.audio.currentTime = this.wanted
    this.#at(this.wanted, false)
  }

  /** @param {number} by */
  faster(by) {
    const now = SPEEDS.indexOf(this.audio.playbackRate)
    this.speed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, now + by))])
  }

  /** @param {number} speed */
  speed(speed) {
    this.audio.playbackRate = speed
    this.rate.firstChild.value = String(speed)
  }

  /** Keep the spoken word in sight, or let go. @param {boolean} on */
  following(on) {
    this.follow = on
    this.pin.setAttribute('aria-pressed', String(on))
  }

  /** Draw again: who speaks when has changed. */
  redraw() {
    this.version++
    this.#draw()
  }

  close() {
    this.audio.pause()
    this.audio.removeAttribute('src')
    this.audio.load()
  }

  /** @param {boolean} on */
  #playing(on) {
    this.toggle.setAttribute('aria-label', t(on ? 'player.pause' : 'player.play'))
    this.toggle.replaceChildren(icon(on ? 'pause' : 'play'))
    if (on) requestAnimationFrame(() => this.#tick(true))
  }

  /** @param {boolean} playing */
  #tick(playing) {
    const { time } = this
    if (time >= this.stopAt) this.play(false)
    this.#at(time, playing)
    if (playing && this.playing) requestAnimationFrame(() => this.#tick(true))
  }

  /** @param {number} time @param {boolean} playing */
  #at(time, playing) {
    if (this.clock.textContent !== clock(time))
      this.#shown(time) // once a second; the word is lit every frame
    else if (!playing) this.#draw()
    this.source.tick(time, playing)
  }

  /** @param {number} time */
  #shown(time) {
    this.clock.textContent = clock(time)
    this.slider.value = String(Math.round(time * 10))
    const who = this.source.who(time)
    const place = t('player.place', { at: clock(time), of: clock(this.source.duration) })
    this.slider.setAttribute('aria-valuetext', who ? `${place}, ${who}` : place)
    this.#draw()
  }

  #draw() {
    const { duration, peaks } = this.source
    /** @type {import('./waveform.js').Under} */
    const under = (context, style, width, height) => {
      for (const { speaker, start, end } of this.source.turns()) {
        if (speaker == null) continue
        const [from, to] = [(start / duration) * width, (end / duration) * width]
        context.fillStyle = style.getPropertyValue(`--sp-${(speaker % 8) + 1}`)
        context.fillRect(from, height - 5, Math.max(1, to - from - (to - from > 3 ? 1 : 0)), 5)
      }
    }
    draw(this.canvas, peaks, duration ? this.time / duration : 0, {
      strip: STRIP,
      needle: true,
      under,
      version: this.version,
    })
  }

  /** The signed address has expired: go on from the same second with a new one. */
  async #renew() {
    if (!this.source.url || Date.now() - this.renewed < 10_000) return
    this.renewed = Date.now()
    const [at, playing] = [this.wanted || this.audio.currentTime, this.playing]
    const url = await this.source.renew().catch(() => null)
    if (!url) return
    this.audio.src = here(url)
    this.seek(at)
    if (playing) this.play(true)
  }
}
