// The transcript in the page: a section a turn, plain text a line. What has not changed stays the same element.
import { h } from '../base/dom.js'
import { clock, direction, t } from '../base/words.js'
import { personOf } from '../transcript/names.js'
import { Paint, paints } from './paint.js'

/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('../transcript/document.js').Line} Line */
/** @typedef {import('../transcript/document.js').Turn} Turn */
/** @typedef {{el: HTMLElement, key: string, lines: Line[], turn: Turn}} Shown */

const AT_ONCE = 400 // turns put into the page at a time, so that the first screen is there at once

export class TextView {
  /** @param {HTMLElement} root @param {Transcript} transcript */
  constructor(root, transcript) {
    this.root = root
    this.transcript = transcript
    /** @type {Map<string, HTMLElement>} line → its element */
    this.spans = new Map()
    /** @type {WeakMap<Node, string>} */
    this.ids = new WeakMap()
    /** @type {Shown[]} */
    this.shown = []
    /** @type {Map<string, Shown>} by first line */
    this.byFirst = new Map()
    /** The line that is being corrected: its turn is left alone. @type {string | null} */
    this.editing = null
    /** The reading line: what keys act on. @type {string | null} */
    this.here = null
    this.word = ''
    this.paint = new Paint(
      (id) => this.node(id),
      (id) => this.spans.get(id)?.closest('.turn') ?? undefined,
    )
    root.lang = transcript.language ?? ''
    root.dir = direction(transcript.language)
    this.ready = this.update()
  }

  /** Show the transcript as it is now. */
  update() {
    /** @type {Shown[]} */
    const next = []
    /** @type {string | null | undefined} */
    let before
    for (const turn of this.transcript.turns) {
      next.push(this.#shownAs(turn, this.#key(turn, before === turn.speaker && before !== null)))
      before = turn.speaker
    }
    const kept = new Set(next)
    const left = this.shown.findIndex((shown) => this.#held(shown.lines) && !kept.has(shown))
    if (left >= 0) next.splice(left, 0, this.shown[left]) // the line is gone, but somebody writes in it
    for (const old of this.shown) if (!kept.has(old) && !next.includes(old)) this.#gone(old)
    this.shown = next
    this.byFirst = new Map(next.map((shown) => [shown.lines[0].id, shown]))
    return this.#put(0, this.root.firstElementChild)
  }

  /**
   * Return how a turn is shown: as before, when nothing about it has changed; else it is built when its time comes.
   * @param {Turn} turn
   * @param {string} key
   * @returns {Shown}
   */
  #shownAs(turn, key) {
    const was = this.#held(turn.lines)
      ? this.shown.find((shown) => this.#held(shown.lines))
      : this.byFirst.get(turn.lines[0].id)
    const same = was?.key === key && was.lines.length === turn.lines.length
    if (was && (this.#held(turn.lines) || (same && was.lines.every((line, index) => line === turn.lines[index])))) {
      was.turn = turn
      return was
    }
    return { el: h('section'), key, lines: turn.lines, turn }
  }

  /**
   * Return all that a turn shows besides its lines.
   * @param {Turn} turn
   * @param {boolean} same whether the same person spoke before
   */
  #key({ speaker, start }, same) {
    const place = this.transcript.speakerIndex(speaker)
    const person = place < 0 ? '' : personOf(this.transcript.speakers[place], place)
    return [place, person, same, start].join('\n')
  }

  /**
   * Put turns into the page from one on, behind those that stand already.
   * @param {number} from
   * @param {Element | null} at
   * @returns {Promise<void>}
   */
  async #put(from, at) {
    const mine = this.shown
    let built = 0
    for (let index = from; index < mine.length; index++) {
      const shown = mine[index]
      if (!shown.el.className) {
        this.#build(shown)
        if (++built === AT_ONCE) {
          this.root.insertBefore(shown.el, at)
          await new Promise((resolve) => setTimeout(resolve, 0))
          return this.shown === mine ? this.#put(index + 1, shown.el.nextElementSibling) : undefined
        }
      }
      if (shown.el === at) at = at.nextElementSibling
      else this.root.insertBefore(shown.el, at)
    }
    while (at) {
      const next = at.nextElementSibling
      at.remove()
      at = next
    }
    this.#restore()
  }

  /** @param {Shown} shown */
  #build(shown) {
    const [speaker, person, same] = shown.key.split('\n')
    const said = h('p', { class: 'said' })
    for (const line of shown.lines) {
      const span = h('span', { class: line.edited ? 'seg edited' : 'seg' }, document.createTextNode(line.text))
      this.spans.set(line.id, span)
      this.ids.set(span, line.id)
      said.append(span, ' ')
    }
    const place = Number(speaker)
    const name =
      person &&
      h(
        'button',
        { type: 'button', class: 'name', tabindex: -1, 'aria-haspopup': 'dialog', 'aria-expanded': 'false' },
        h('bdi', null, person),
      )
    shown.el.className = `turn${place >= 0 ? ` sp-${(place % 8) + 1}` : ''}${same === 'true' ? ' same' : ''}`
    shown.el.append(h('h2', { class: 'who' }, name, h('span', { class: 'at num' }, clock(shown.turn.start))), said)
    this.paint.watch(
      shown.el,
      shown.lines.map(({ id }) => id),
    )
  }

  /** @param {Shown} shown */
  #gone(shown) {
    this.paint.unwatch(shown.el)
    shown.el.remove()
    for (const { id } of shown.lines) if (this.spans.get(id)?.closest('.turn') === shown.el) this.spans.delete(id)
  }

  /** Tell whether somebody writes in one of the lines. @param {Line[]} lines */
  #held(lines) {
    return this.editing !== null && lines.some(({ id }) => id === this.editing)
  }

  /** Find again what was marked before elements changed. */
  #restore() {
    this.word = ''
    this.paint.repaint()
    if (this.here === null) return
    const { here } = this
    this.here = null
    this.stand(this.spans.has(here) ? here : (this.transcript.lines[0]?.id ?? null))
  }

  /** Return the text of a line in the page. @param {string} id @returns {Text | undefined} */
  node(id) {
    return /** @type {any} */ (this.spans.get(id)?.firstChild ?? undefined)
  }

  /** Return the line that an element of the page stands for. @param {EventTarget | Node | null} target */
  lineOf(target) {
    const el = target instanceof Element ? target : target instanceof Node ? target.parentElement : null
    const span = el?.closest('.seg')
    return span ? (this.ids.get(span) ?? null) : null
  }

  /** Return the turn that an element of the page belongs to. @param {EventTarget | null} target */
  turnOf(target) {
    const el = target instanceof Element ? target.closest('.turn') : null
    return this.shown.find((shown) => shown.el === el)?.turn ?? null
  }

  /** Light a word of a line. True when another line begins with it. @param {Line} line @param {number} index */
  light(line, index) {
    const key = `${line.id} ${index}`
    if (key === this.word) return false
    this.word = key
    const node = this.node(line.id)
    if (node && index < line.words.text.length && line.id !== this.editing)
      this.paint.light(node, line.words.at[index], line.words.text[index].length)
    else this.paint.dark()
    if (line.id === this.here) return false
    this.stand(line.id)
    return true
  }

  /** Move the reading line; the one name that Tab reaches is that of its turn. @param {string | null} id */
  stand(id) {
    const was = this.here === null ? undefined : this.spans.get(this.here)
    const now = id === null ? undefined : this.spans.get(id)
    was?.classList.remove('now')
    now?.classList.add('now')
    const [from, to] = [was?.closest('.turn'), now?.closest('.turn')]
    if (from !== to) {
      for (const [turn, on] of /** @type {[Element | null | undefined, boolean][]} */ ([
        [from, false],
        [to, true],
      ])) {
        turn?.classList.toggle('here', on)
        turn?.querySelector('.name')?.setAttribute('tabindex', on ? '0' : '-1')
      }
    }
    this.here = id
  }

  /** Return where the spoken word, or else the reading line, stands on the screen. */
  rect() {
    if (paints && this.word && this.paint.range.startContainer !== document)
      return this.paint.range.getBoundingClientRect()
    return this.here === null ? null : (this.spans.get(this.here)?.getBoundingClientRect() ?? null)
  }

  /**
   * Return the line and the offset in it under a point of the screen.
   * @param {number} x
   * @param {number} y
   * @returns {[Line, number] | null}
   */
  under(x, y) {
    const caret = caretAt(x, y)
    const id = caret && this.lineOf(caret.node)
    const line = id ? this.transcript.line(id) : undefined
    return line && caret ? [line, caret.offset] : null
  }

  /** Return the lines that are selected. @returns {Line[]} */
  selected() {
    const selection = getSelection()
    if (!selection || selection.isCollapsed || !this.root.contains(selection.anchorNode)) return []
    const [from, to] = [this.lineOf(selection.anchorNode), this.lineOf(selection.focusNode)].map((id) =>
      id ? this.transcript.placeOf(id) : -1,
    )
    return from < 0 || to < 0 ? [] : this.transcript.lines.slice(Math.min(from, to), Math.max(from, to) + 1)
  }

  close() {
    this.paint.close()
  }
}

/** @param {number} x @param {number} y @returns {{node: Node, offset: number} | null} */
function caretAt(x, y) {
  const caret = document.caretPositionFromPoint?.(x, y)
  if (caret) return { node: caret.offsetNode, offset: caret.offset }
  const range = /** @type {any} */ (document).caretRangeFromPoint?.(x, y) // Safari
  return range ? { node: range.startContainer, offset: range.startOffset } : null
}

/** Return what to call a line when it is read out. @param {Transcript} transcript @param {Line} line */
export function spokenLine(transcript, line) {
  const place = transcript.speakerIndex(line.speaker)
  return place < 0
    ? line.text
    : t('transcript.says', { name: personOf(transcript.speakers[place], place), text: line.text })
}
