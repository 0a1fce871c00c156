// Somebody else saved the same words first: both texts, word by word, and one decision.
import { button, h, icon, say } from '../base/dom.js'
import { t } from '../base/words.js'
import { changed } from '../panels/changes.js'

/** @typedef {import('../transcript/corrections.js').Conflict} Conflict */

/** The conflicts that wait for a decision, each below its line. */
export class Conflicts {
  /** @param {import('../reader/text.js').TextView} text */
  constructor(text) {
    this.text = text
    /** @type {Map<string, HTMLElement>} card by line */
    this.cards = new Map()
  }

  /**
   * Show a conflict; returns what the line shall say, null when it shall stay as it is.
   * @param {Conflict} conflict
   * @returns {Promise<string | null>}
   */
  decide(conflict) {
    return new Promise((resolve) => {
      const { id } = conflict.line
      const made = card(conflict, (text) => {
        this.text.spans.get(id)?.classList.remove('contested')
        this.cards.delete(id)
        made.remove()
        resolve(text)
      })
      this.cards.set(id, made)
      this.place()
      made.scrollIntoView({ block: 'center' })
      made.querySelector('button')?.focus({ preventScroll: true })
      say(t('conflict.title'))
    })
  }

  /** Put each card below its line again: others may have changed the text around it. */
  place() {
    for (const [id, made] of this.cards) {
      const span = this.text.spans.get(id)
      span?.classList.add('contested')
      if (span && span.nextElementSibling !== made) span.after(made)
      if (!span && !made.isConnected) this.text.root.prepend(made)
    }
  }
}

/**
 * @param {Conflict} conflict
 * @param {(text: string | null) => void} choose
 */
function card({ base, mine, theirs, merged }, choose) {
  const edit = () => {
    const field = h('textarea', { class: 'input', rows: 3, dir: 'auto', 'aria-label': t('correct.label') }, merged)
    const save = () => choose(field.value.trim() || null)
    acts.replaceWith(field, h('div', { class: 'row' }, button(t('act.save'), { kind: 'main small', onclick: save })))
    field.focus()
  }
  const acts = h('div', { class: 'row' }, [
    button(t('conflict.both'), { kind: 'main small', onclick: () => choose(merged) }),
    button(t('conflict.mine'), { kind: 'line small', onclick: () => choose(mine) }),
    button(t('conflict.theirs'), { kind: 'line small', onclick: () => choose(null) }),
    button(t('conflict.edit'), { kind: 'small', onclick: edit }),
  ])
  return h(
    'div',
    { class: 'conflict', role: 'alertdialog', 'aria-label': t('conflict.title'), dir: document.dir },
    h('p', { class: 'row' }, icon('people'), h('b', null, t('conflict.title'))),
    h('div', { class: 'two' }, side(t('conflict.theirText'), base, theirs), side(t('conflict.myText'), base, mine)),
    acts,
  )
}

/** @param {string} title @param {string} before @param {string} after */
const side = (title, before, after) =>
  h(
    'div',
    { class: 'side-by' },
    h('p', { class: 'over' }, title),
    h('p', { class: 'read', dir: 'auto' }, changed(before, after)),
  )
