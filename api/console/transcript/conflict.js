// Somebody else saved the same words first: both texts, word by word, and one decision.
import { button, h, icon, say } from '../base/dom.js'
import { t } from '../base/words.js'
import { difference } from './diff.js'

/** @typedef {import('./corrections.js').Conflict} Conflict */

/**
 * Show a conflict below its line; returns what the line shall say, null when it shall stay as it is.
 * @param {HTMLElement} below @param {Conflict} conflict @returns {Promise<string | null>}
 */
export function decide(below, { base, mine, theirs, merged }) {
  return new Promise((resolve) => {
    const choose = (/** @type {string | null} */ text) => () => {
      below.classList.remove('contested')
      card.remove()
      resolve(text)
    }
    const edit = () => {
      const field = h('textarea', { class: 'input', rows: 3, dir: 'auto', 'aria-label': t('correct.label') }, merged)
      acts.replaceWith(
        field,
        h(
          'div',
          { class: 'row' },
          button(t('act.save'), { kind: 'main small', onclick: () => choose(field.value.trim() || null)() }),
        ),
      )
      field.focus()
    }
    const acts = h('div', { class: 'row' }, [
      button(t('conflict.both'), { kind: 'main small', onclick: choose(merged) }),
      button(t('conflict.mine'), { kind: 'line small', onclick: choose(mine) }),
      button(t('conflict.theirs'), { kind: 'line small', onclick: choose(null) }),
      button(t('conflict.edit'), { kind: 'small', onclick: edit }),
    ])
    const card = h(
      'div',
      { class: 'conflict', role: 'alertdialog', 'aria-label': t('conflict.title'), dir: document.dir },
      h('p', { class: 'row' }, icon('people'), h('b', null, t('conflict.title'))),
      h('div', { class: 'two' }, side(t('conflict.theirText'), base, theirs), side(t('conflict.myText'), base, mine)),
      acts,
    )
    below.classList.add('contested')
    below.after(card)
    card.scrollIntoView({ block: 'center' })
    card.querySelector('button')?.focus({ preventScroll: true })
    say(t('conflict.title'))
  })
}

/** @param {string} title @param {string} before @param {string} after */
const side = (title, before, after) =>
  h(
    'div',
    { class: 'side-by' },
    h('p', { class: 'over' }, title),
    h('p', { class: 'read', dir: 'auto' }, shown(before, after)),
  )

/** Show the differences of two texts. @param {string} before @param {string} after */
export const shown = (before, after) =>
  difference(before, after).map(([kind, text]) => (kind === 'same' ? text : h(kind, null, text)))
