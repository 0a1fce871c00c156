// Correcting a line where it stands: the sentence itself becomes a field.
import { button, h, say } from '../base/dom.js'
import { preferences } from '../base/preferences.js'
import { t } from '../base/words.js'

/** @typedef {import('../reader/text.js').TextView} TextView */
/** @typedef {import('../reader/player.js').Player} Player */
/** @typedef {import('../transcript/document.js').Line} Line */
/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('../transcript/corrections.js').Corrections} Corrections */

const GOES_ON_AFTER = 1000

export class Editing {
  /** @param {Transcript} transcript @param {TextView} text @param {Player} player @param {Corrections} corrections */
  constructor(transcript, text, player, corrections) {
    this.transcript = transcript
    this.text = text
    this.player = player
    this.corrections = corrections
    /** @type {((save: boolean) => void) | null} */
    this.end = null
  }

  /**
   * Open a line for correction, with the caret at a place.
   * @param {string} id
   * @param {number} [at] offset in its text
   */
  open(id, at) {
    const span = this.text.spans.get(id)
    const line = this.transcript.line(id)
    if (!span || !line || this.text.editing === id) return
    this.end?.(true)
    this.text.editing = id
    this.text.stand(id)
    this.text.paint.dark()
    span.contentEditable = 'plaintext-only'
    span.classList.add('editing')
    const attributes = {
      role: 'textbox',
      'aria-label': t('correct.label'),
      'aria-multiline': 'false',
      spellcheck: 'true',
      'aria-describedby': 'edit-keys',
    }
    for (const [name, value] of Object.entries(attributes)) span.setAttribute(name, value)
    const bar = this.#bar()
    span.after(bar)
    span.focus({ preventScroll: true })
    put(span, at ?? line.text.length)
    if (bar.getBoundingClientRect().bottom > innerHeight * 0.8) span.scrollIntoView({ block: 'center' })
    this.#write(span, bar, line)
  }

  #bar() {
    const keys = [
      ['Enter', 'saves'],
      ['⇧ Enter', 'splits'],
      ['Alt K', 'plays'],
    ].flatMap(([key, words]) => [h('kbd', null, key), ` ${t(`correct.${words}`)} `])
    return h(
      'span',
      { class: 'editbar', contenteditable: 'false', dir: document.dir },
      button(t('act.save'), { kind: 'main small', onclick: () => this.end?.(true) }),
      button(t('act.cancel'), { kind: 'small', onclick: () => this.end?.(false) }),
      h('span', { class: 'quiet wide', id: 'edit-keys' }, keys),
    )
  }

  /** @param {HTMLElement} span @param {HTMLElement} bar @param {Line} line */
  #write(span, bar, line) {
    let paused = false
    /** @type {any} */
    let timer
    const gone = new AbortController()
    const goOn = () => {
      clearTimeout(timer)
      if (paused) this.player.play(true)
      paused = false
    }
    this.end = (save) => {
      const text = (span.textContent ?? '').replace(/\s+/g, ' ').trim()
      gone.abort()
      clearTimeout(timer)
      this.end = null
      this.text.editing = null
      span.textContent = line.text
      for (const name of ['contenteditable', 'role', 'aria-label', 'aria-multiline', 'aria-describedby', 'spellcheck'])
        span.removeAttribute(name)
      span.classList.remove('editing')
      bar.remove()
      if (save && text && text !== line.text) this.corrections.text(line, text)
      else this.text.update()
      this.text.stand(line.id)
      this.text.root.focus({ preventScroll: true })
      if (paused) this.player.play(true)
    }
    const on = { signal: gone.signal }
    span.addEventListener('keydown', (event) => this.#key(event, span, line), on)
    span.addEventListener(
      'input',
      () => {
        if (!preferences.pauseWhileWriting) return
        if (this.player.playing) {
          paused = true
          this.player.play(false)
        }
        clearTimeout(timer)
        timer = setTimeout(goOn, GOES_ON_AFTER)
      },
      on,
    )
    span.addEventListener(
      'paste',
      (event) => {
        event.preventDefault()
        document.execCommand(
          'insertText',
          false,
          (event.clipboardData?.getData('text/plain') ?? '').replace(/\s+/g, ' '),
        )
      },
      on,
    )
  }

  /** @param {KeyboardEvent} event @param {HTMLElement} span @param {Line} line */
  #key(event, span, line) {
    event.stopPropagation()
    if (event.isComposing) return
    const act = this.#acts(event, span, line)
    if (!act) return
    event.preventDefault()
    act()
  }

  /** @param {KeyboardEvent} event @param {HTMLElement} span @param {Line} line @returns {(() => void) | null} */
  #acts({ key, code, altKey, shiftKey }, span, line) {
    const place = this.transcript.placeOf(line.id)
    if (key === 'Enter' && shiftKey) return () => this.#split(span, line)
    if (key === 'Enter') return () => this.end?.(true)
    if (key === 'Escape') return () => this.end?.(false)
    if (altKey && code === 'KeyK') return () => this.player.play()
    if (altKey && code === 'KeyJ') return () => this.player.seek(this.player.time - 5)
    if (altKey && code === 'KeyL') return () => this.player.seek(this.player.time + 5)
    if (key === 'Backspace' && place > 0 && caret(span) === 0) return () => this.#join(line, place)
    return null
  }

  /** Split at the caret: what was written is saved first. @param {HTMLElement} span @param {Line} line */
  #split(span, line) {
    const before = (span.textContent ?? '').slice(0, caret(span)).trim()
    this.end?.(true)
    const now = this.transcript.line(line.id)
    if (!now) return
    const atWord = now.words.at.findIndex((at) => at >= before.length)
    if (atWord <= 0) return say(t('correct.nothingToSplit'))
    this.corrections.split(now, atWord)
  }

  /** @param {Line} line @param {number} place */
  #join(line, place) {
    this.end?.(true)
    this.corrections.join(
      [this.transcript.lines[place - 1], this.transcript.lines[place]].filter((one) => one.id === line.id || one),
    )
  }
}

/** Return where the caret is in an element's text, -1 when something is selected. @param {HTMLElement} el */
function caret(el) {
  const selection = getSelection()
  if (!selection?.rangeCount || !selection.isCollapsed) return -1
  const range = selection.getRangeAt(0).cloneRange()
  range.setStart(el, 0)
  return range.toString().length
}

/** Put the caret into an element. @param {HTMLElement} el @param {number} at */
function put(el, at) {
  const node = el.firstChild
  if (node instanceof Text) getSelection()?.collapse(node, Math.min(at, node.length))
}
