// The keys that every view has. Those of one letter act outside fields only, and can be turned off (WCAG 2.1.4).
import { preferences } from './preferences.js'

const FIELDS = 'input:not([type=range]), textarea, select, [contenteditable], dialog, .menu'

/** Tell whether keys go to a field, a dialog or a menu. @param {KeyboardEvent} event */
export const writing = ({ target }) => target instanceof Element && target.closest(FIELDS) !== null

/** Tell whether a control key is held. @param {KeyboardEvent} event */
export const held = ({ ctrlKey, metaKey, altKey }) => ctrlKey || metaKey || altKey

/** Act on a key, instead of what the browser would do. @param {KeyboardEvent} event @param {() => unknown} act */
export function run(event, act) {
  event.preventDefault()
  act()
}

/** Listen: controls with `data-key` answer to it, `?` opens the list of keys. */
export function listen() {
  addEventListener('keydown', (event) => {
    if (!preferences.letterKeys || writing(event) || held(event)) return
    if (event.key === '?') return run(event, () => import('../panels/keylist.js').then(({ keyList }) => keyList()))
    const control = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)
    if (control instanceof HTMLInputElement) run(event, () => control.focus())
    else if (control instanceof HTMLElement) run(event, () => control.click())
  })
}
