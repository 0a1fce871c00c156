// The panel beside the text (a sheet from below on a phone): speakers, or what was asked for last.
import { button, h } from '../base/dom.js'
import { t } from '../base/words.js'

/** @typedef {{title: string, body: (Node | string | false | null)[], close?: () => void, glyph: string}} Panel */

export class Side {
  /** @param {Record<string, () => Panel>} panels @param {string} usual the one that stands there when there is room */
  constructor(panels, usual) {
    this.panels = panels
    this.usual = usual
    this.el = h('aside', { class: 'side' })
    /** @type {Map<string, HTMLElement>} */
    this.buttons = new Map()
    /** @type {Panel | null} */
    this.now = null
    this.name = ''
    this.#show(usual)
  }

  /**
   * Build the button that opens a panel.
   * @param {string} name
   * @param {string} words
   * @param {string} glyph
   * @param {string} [kind]
   */
  button(name, words, glyph, kind = '') {
    const el = button(words, { glyph, kind: `line ${kind}`, 'aria-pressed': 'false', onclick: () => this.toggle(name) })
    this.buttons.set(name, el)
    return el
  }

  /** @param {string} name */
  toggle(name) {
    const open = document.body.classList.contains('sheet')
    if (this.name === name && (open || this.#wide)) return this.shut()
    this.open(name)
  }

  /** Open a panel. @param {string} name */
  open(name) {
    this.#show(name)
    document.body.classList.toggle('sheet', !(this.#wide && name === this.usual))
    this.#press()
    this.el.querySelector('input')?.focus({ preventScroll: true })
  }

  /** Put away what is open; the usual panel takes its place where there is room. */
  shut() {
    const from = this.buttons.get(this.name)
    document.body.classList.remove('sheet')
    this.#show(this.usual)
    this.#press()
    from?.focus({ preventScroll: true })
  }

  /** Show the open panel again: what it tells of has changed. @param {string} name */
  refresh(name) {
    if (this.name === name && !this.el.contains(document.activeElement)) this.#show(name)
    else if (this.name === name) this.#show(name, true)
  }

  close() {
    this.now?.close?.()
    document.body.classList.remove('sheet')
  }

  get #wide() {
    return matchMedia('(min-width: 76.01rem)').matches
  }

  /** @param {string} name @param {boolean} [keepFocus] */
  #show(name, keepFocus) {
    const focused = keepFocus ? /** @type {HTMLElement} */ (document.activeElement)?.dataset.focus : null
    this.now?.close?.()
    this.name = name
    this.now = this.panels[name]()
    const closable = !(this.#wide && name === this.usual)
    const head = h(
      'div',
      { class: 'phead' },
      h('h2', null, this.now.title),
      closable && button(t('act.close'), { glyph: 'close', bare: true, onclick: () => this.shut() }),
    )
    this.el.setAttribute('aria-label', this.now.title)
    this.el.replaceChildren(head, .../** @type {Node[]} */ (this.now.body.filter(Boolean)))
    if (focused) this.el.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus()
  }

  #press() {
    const open = document.body.classList.contains('sheet')
    for (const [name, el] of this.buttons) el.setAttribute('aria-pressed', String(open && name === this.name))
  }
}
