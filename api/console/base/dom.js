// Builds elements. No markup is ever parsed, so nothing that a recording or a speaker is called can become code.

/** @typedef {Node | string | number | false | null | undefined} Kid */

const SPRITE = new URL('../look/icons.svg', import.meta.url).pathname

/**
 * Build an element. `on…` properties are listeners, `vars` are custom properties of CSS; `false`, `null` and
 * `undefined` are left out, as properties and as children.
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...(Kid | Kid[] | Kid[][])} kids
 * @returns {any}
 */
export function h(tag, props, ...kids) {
  const el = document.createElement(tag)
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value == null) continue
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value)
    else if (name === 'vars') for (const [key, part] of Object.entries(value)) el.style.setProperty(key, String(part))
    else if (name in el && typeof value !== 'string') Reflect.set(el, name, value)
    else el.setAttribute(name, value === true ? '' : String(value))
  }
  el.append(...present(kids))
  return el
}

/** Drop what is left out, and flatten the rest. @param {any[]} kids @returns {(Node | string)[]} */
export const present = (kids) => kids.flat(3).filter((kid) => kid !== false && kid != null && kid !== '')

/** Draw an icon of the sprite, hidden from screen readers: words beside it say what it means. @param {string} name */
export function icon(name, cls = 'icon') {
  const space = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(space, 'svg')
  const use = document.createElementNS(space, 'use')
  svg.setAttribute('class', cls)
  svg.setAttribute('aria-hidden', 'true')
  use.setAttribute('href', `${SPRITE}#${name}`)
  svg.append(use)
  return svg
}

/**
 * Build a button with an icon and, unless `bare`, its words beside it.
 * @param {string} words
 * @param {{glyph?: string, bare?: boolean, kind?: string, [name: string]: any}} [options]
 * @returns {HTMLButtonElement}
 */
export function button(words, { glyph, bare, kind = '', ...props } = {}) {
  const named = bare ? { 'aria-label': words, title: words } : {}
  const cls = ['btn', kind, bare ? 'bare' : ''].filter(Boolean).join(' ')
  return h(
    'button',
    { type: 'button', class: cls, ...named, ...props },
    glyph && icon(glyph),
    !bare && h('span', null, words),
  )
}

/**
 * Build text that people or machines wrote, in its own direction.
 * @param {string} words
 * @param {string | null} [lang]
 */
export const own = (words, lang) => h('bdi', { lang }, words)

/**
 * Build a native select in the page's clothes.
 * @param {string} label
 * @param {[string, string][]} options  value and words
 * @param {{value?: string, boxed?: boolean, onchange?: (value: string) => void, id?: string}} [more]
 */
export function pick(label, options, { value, boxed, onchange, id } = {}) {
  const select = h(
    'select',
    { id, 'aria-label': id ? null : label, onchange: () => onchange?.(select.value) },
    options.map(([key, words]) => h('option', { value: key, selected: key === value }, words)),
  )
  return h('span', { class: `pick${boxed ? ' box' : ''}` }, select, icon('down'))
}

/**
 * Build a notice: one thing that one has to know, and what can be done about it.
 * @param {'' | 'warn' | 'bad'} kind @param {string} glyph @param {Kid[]} words @param {Kid[]} [acts]
 */
export function notice(kind, glyph, words, acts = []) {
  const row = present(acts)
  return h(
    'div',
    { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : null },
    icon(glyph),
    h('p', null, words),
    row.length > 0 && h('div', { class: 'row' }, row),
  )
}

/** Say something to screen readers, politely. @param {string} words */
export function say(words) {
  const region = /** @type {HTMLElement} */ (document.getElementById('polite'))
  region.textContent = ''
  setTimeout(() => (region.textContent = words), 60)
}

/** Whether motion is to be kept away. */
export const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches
