// The first page: put recordings in, see what is under way, find what is done.
import { h, notice, present } from '../base/dom.js'
import { number, t } from '../base/words.js'
import { allow, composer } from './composer.js'
import { follow, jobs, underWay } from './jobs.js'
import { Recordings } from './recordings.js'
import { onTheirWay, sendings } from './sending.js'
import { jobRow, sendingRow } from './underway.js'

/** @typedef {import('../net/types.js').Start} Start */

/** Show the library. @param {Start} start */
export async function library(start) {
  const may = start.viewer.scopes.some((scope) => ['jobs:write', 'admin'].includes(scope))
  allow(may)
  const gone = new AbortController()
  const main = h('main', { id: 'main', tabindex: -1, class: 'page lib' }, h('h1', { class: 'sr' }, t('library.title')))
  const [now, recordings] = [underWaySection(), new Recordings(may)]
  await Promise.all([recordings.read(), follow()])
  const nothing = () => recordings.empty && !underWay().length && !onTheirWay().length
  const arrange = () => {
    const empty = nothing()
    main.classList.toggle('empty', empty)
    const denied = notice('', 'people', [h('b', null, t('library.readOnly')), ` ${t('library.readOnlyHint')}`])
    const top = may ? composer(start, { big: empty }) : denied
    const sections = empty ? [h('div', { class: 'welcome' }, top, hows())] : [top, now.el, recordings.el]
    main.replaceChildren(main.firstChild, ...present([warnings(start), ...sections]))
    now.update()
  }
  const check = () => {
    if (nothing() !== main.classList.contains('empty')) arrange()
    else now.update()
  }
  const on = (/** @type {string} */ type, /** @type {(id: string) => unknown} */ act) =>
    jobs.addEventListener(
      type,
      async (event) => {
        await act(/** @type {CustomEvent} */ (event).detail)
        check()
      },
      { signal: gone.signal },
    )
  sendings.addEventListener('change', check, { signal: gone.signal })
  on('change', (id) => (id ? recordings.changed(id) : recordings.read()))
  on('finished', (id) => recordings.finished(id))
  on('gone', (id) => recordings.gone(id))
  arrange()
  const ticking = setInterval(() => now.update(), 1000)
  const close = () => {
    gone.abort()
    clearInterval(ticking)
    allow(false)
  }
  return { title: t('library.title'), main, close }
}

/** Say why speech cannot be recognised now. @param {Start} start */
function warnings({ capabilities: { problems, workersOnline } }) {
  if (problems.length) {
    return problems.map(({ message, remedy }) => notice('warn', 'warn', [h('b', null, message), ` ${remedy ?? ''}`]))
  }
  const none = notice('warn', 'warn', [h('b', null, t('library.noWorker')), ` ${t('library.noWorkerHint')}`])
  return workersOnline ? [] : [none]
}

/** Tell a newcomer what there is to do. */
function hows() {
  const how = (/** @type {string} */ name) =>
    h('li', null, h('h2', null, t(`welcome.${name}`)), h('p', { class: 'soft' }, t(`welcome.${name}Words`)))
  return h('ol', { class: 'hows' }, ['drop', 'read', 'take'].map(how))
}

/** Show what is under way; a row stays the same element while it stays of one shape, so that focus stays. */
function underWaySection() {
  const [count, list] = [h('span', { class: 'quiet num' }), h('ul', { class: 'jobs' })]
  const head = h('div', { class: 'lhead' }, h('h2', { id: 'now' }, t('library.underWay')), count)
  const el = h('section', { 'aria-labelledby': 'now' }, head, list)
  /** @type {Map<string, import('./underway.js').Row>} */
  let rows = new Map()
  const update = () => {
    const all = [
      ...onTheirWay().map((one) => ({ id: one.id, shape: 'sending', one, make: sendingRow })),
      ...underWay().map((one) => ({ id: one.id, shape: one.state, one, make: jobRow })),
    ]
    const next = new Map()
    for (const { id, shape, one, make } of all) {
      const row = rows.get(id)
      if (row?.shape === shape) row.update(one)
      next.set(id, row?.shape === shape ? row : make(/** @type {any} */ (one)))
    }
    rows = next
    const els = [...next.values()].map((row) => row.el)
    const same = els.length === list.children.length && els.every((one, index) => one === list.children[index])
    if (!same) list.replaceChildren(...els)
    el.hidden = !all.length
    count.textContent = number(all.length)
  }
  return { el, update }
}
