// Menus, dialogs and toasts: the browser's own popover and <dialog>, so focus, Escape and the click outside come along.
import { button, h, icon, present, say } from './dom.js'
import { t } from './words.js'

const EDGE = 8

/**
 * Open a popover beside its button, on the side where there is room. Focus goes into it, and back.
 * @param {HTMLElement} anchor @param {any} body @param {string} label
 */
export function popup(anchor, body, label) {
  const menu = h('div', { popover: 'auto', class: 'menu', role: 'dialog', 'aria-label': label }, body)
  document.body.append(menu)
  menu.showPopover()
  const at = anchor.getBoundingClientRect()
  const box = menu.getBoundingClientRect()
  const left = document.dir === 'rtl' ? at.right - box.width : at.left
  const below = at.bottom + box.height + EDGE <= innerHeight
  menu.style.setProperty('left', `${Math.max(EDGE, Math.min(left, innerWidth - box.width - EDGE))}px`)
  menu.style.setProperty('top', `${below ? at.bottom + 6 : Math.max(EDGE, at.top - box.height - 6)}px`)
  anchor.setAttribute('aria-expanded', 'true')
  menu.addEventListener('toggle', (/** @type {any} */ event) => {
    if (event.newState !== 'closed') return
    anchor.setAttribute('aria-expanded', 'false')
    const inside = menu.contains(document.activeElement) || document.activeElement === document.body
    menu.remove()
    if (anchor.isConnected && inside) anchor.focus({ preventScroll: true })
  })
  const first = menu.querySelector('[autofocus], button, input, a')
  if (first instanceof HTMLElement) first.focus()
  return menu
}

/**
 * Build an entry of a menu; the menu closes before it acts.
 * @param {string} words
 * @param {() => void} act
 * @param {{glyph?: string, kind?: string, key?: string, lead?: Node, own?: boolean}} [more]
 */
export function entry(words, act, { glyph, kind = '', key, lead, own } = {}) {
  const press = (/** @type {Event} */ event) => {
    const menu = /** @type {HTMLElement} */ (event.currentTarget).closest('.menu')
    if (menu instanceof HTMLElement) menu.hidePopover()
    act()
  }
  return h(
    'button',
    { type: 'button', class: `btn ${kind}`, onclick: press },
    lead ?? (glyph && icon(glyph)),
    h(own ? 'bdi' : 'span', null, words),
    key && h('kbd', null, key),
  )
}

/**
 * Open a dialog. `body` and `foot` are its parts; it is gone once closed.
 * @param {string} title
 * @param {{body: any, foot?: any, narrow?: boolean, closed?: () => void, submit?: () => void}} parts
 */
export function dialog(title, { body, foot, narrow, closed, submit }) {
  const id = `dialog-${Math.random().toString(36).slice(2)}`
  const send = (/** @type {SubmitEvent} */ event) => {
    if (!submit) return
    event.preventDefault()
    submit()
  }
  const close = button(t('act.close'), { glyph: 'close', bare: true, onclick: left })
  const head = h('div', { class: 'dlg-head' }, h('h2', { class: 'title', id }, title), close)
  const form = h(
    'form',
    { method: 'dialog', onsubmit: send },
    head,
    h('div', { class: 'dlg-body' }, body),
    foot && h('div', { class: 'dlg-foot' }, foot),
  )
  const box = h('dialog', { class: narrow ? 'narrow' : '', 'aria-labelledby': id }, form)
  document.body.append(box)
  box.showModal()
  box.querySelector('[autofocus], .dlg-body :is(input:not([readonly]), select, textarea), .dlg-foot .main')?.focus()
  box.addEventListener('close', () => {
    box.remove()
    closed?.()
  })
  return box
}

/**
 * Build the button that leaves a dialog; not a submit button, which Enter in a field would press.
 * @param {string} words
 */
export const leave = (words) => button(words, { onclick: left })

/** @param {any} event */
const left = (event) => event.currentTarget.closest('dialog').close()

/**
 * Ask whether something that cannot be taken back is meant.
 * @param {string} title @param {string} words @param {string} act
 * @returns {Promise<boolean>}
 */
export function confirmed(title, words, act) {
  return new Promise((resolve) => {
    let sure = false
    const yes = () => {
      sure = true
      box.close()
    }
    const foot = [leave(t('act.cancel')), button(act, { kind: 'main danger', onclick: yes })]
    const box = dialog(title, { narrow: true, body: h('p', null, words), foot, closed: () => resolve(sure) })
  })
}

/**
 * Say briefly that something was done or could not be, with one thing to do about it.
 * @param {string} words @param {[string, () => void] | null} [act] @param {{alarm?: boolean}} [more]
 */
export function toast(words, act, { alarm } = {}) {
  document.querySelector('.toast')?.remove()
  const press = () => {
    el.remove()
    act?.[1]()
  }
  const el = h(
    'div',
    { class: 'toast', role: alarm ? 'alert' : null },
    present([h('span', null, words), act && button(act[0], { kind: 'small', onclick: press })]),
  )
  document.body.append(el)
  setTimeout(() => el.remove(), alarm ? 12_000 : 8_000)
  if (!alarm) say(words)
}

/** Build a labelled field. @param {string} label @param {HTMLElement} control @param {string} [hint] */
export function field(label, control, hint) {
  const input = control.matches('input, select, textarea') ? control : control.querySelector('select')
  const id = input?.id || `field-${Math.random().toString(36).slice(2)}`
  input?.setAttribute('id', id)
  if (hint) input?.setAttribute('aria-describedby', `${id}-hint`)
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    control,
    hint && h('p', { class: 'hint', id: `${id}-hint` }, hint),
  )
}

/**
 * Build a check box with its words.
 * @param {string} words
 * @param {boolean} on
 * @param {(on: boolean) => void} change
 * @param {string} [hint]
 */
export function check(words, on, change, hint) {
  const box = h('input', { type: 'checkbox', checked: on, onchange: () => change(box.checked) })
  return h('label', { class: 'check' }, box, h('span', null, words, hint && h('span', { class: 'hint' }, ` ${hint}`)))
}
