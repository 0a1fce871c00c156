// The first page: put recordings in, see what is under way, find what is done.
import { button, h, notice, pick, present, say } from '../base/dom.js'
import { number, t } from '../base/words.js'
import { ask } from '../net/graph.js'
import { complain } from '../net/reasons.js'
import { nameOf } from './acts.js'
import { allow, composer } from './composer.js'
import { doneRow } from './done.js'
import { WAITING, follow, job as jobOf, jobs, learn, underWay } from './jobs.js'
import { onTheirWay, sendings } from './sending.js'
import { jobRow, sendingRow } from './underway.js'

/** @typedef {import('../net/types.js').Start} Start */

const ENDED = ['SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELED']
const PAGE = 20

/** Which recordings are shown, and how; kept while the page is open. */
const wish = { state: 'all', order: 'CREATED_AT_DESC' }

/** Show the library. @param {Start} start */
export async function library(start) {
  const may = start.viewer.scopes.some((scope) => ['jobs:write', 'admin'].includes(scope))
  allow(may)
  const gone = new AbortController()
  const on = { signal: gone.signal }
  const main = h('main', { id: 'main', tabindex: -1, class: 'page lib' }, h('h1', { class: 'sr' }, t('library.title')))
  const [now, then] = [underWaySection(), await doneSection(may)]
  await follow()
  const arrange = () => {
    const empty = then.total() === 0 && !underWay().length && !onTheirWay().length && wish.state === 'all'
    main.classList.toggle('empty', empty)
    const top = may
      ? [composer(start, { big: empty })]
      : [notice('', 'people', [h('b', null, t('library.readOnly')), ` ${t('library.readOnlyHint')}`])]
    main.replaceChildren(
      main.firstChild,
      ...present([
        ...warnings(start),
        ...(empty ? [h('div', { class: 'welcome' }, top, hows())] : [...top, now.el, then.el]),
      ]),
    )
    now.update()
  }
  arrange()
  const check = () => {
    const empty = then.total() === 0 && !underWay().length && !onTheirWay().length && wish.state === 'all'
    if (empty !== main.classList.contains('empty')) arrange()
    else now.update()
  }
  sendings.addEventListener('change', check, on)
  jobs.addEventListener('change', check, on)
  for (const type of ['finished', 'gone'])
    jobs.addEventListener(type, (event) => then.changed(/** @type {CustomEvent} */ (event).detail).then(check), on)
  const ticking = setInterval(() => now.update(), 1000)
  return { title: t('library.title'), main, close: () => (gone.abort(), clearInterval(ticking), allow(false)) }
}

/** @param {Start} start */
function warnings({ capabilities }) {
  const found = capabilities.problems.map((one) =>
    notice('warn', 'warn', [h('b', null, one.message), ` ${one.remedy ?? ''}`]),
  )
  if (!capabilities.workersOnline && !found.length)
    found.push(notice('warn', 'warn', [h('b', null, t('library.noWorker')), ` ${t('library.noWorkerHint')}`]))
  return found
}

const hows = () =>
  h(
    'ol',
    { class: 'hows' },
    ['drop', 'read', 'take'].map((one) =>
      h('li', null, h('h2', null, t(`welcome.${one}`)), h('p', { class: 'soft' }, t(`welcome.${one}Words`))),
    ),
  )

/**
 * What is under way; a row stays the same element while it stays of the same shape, so that focus stays where it
 * is.
 */
function underWaySection() {
  const [count, list] = [h('span', { class: 'quiet num' }), h('ul', { class: 'jobs' })]
  const el = h(
    'section',
    { 'aria-labelledby': 'now' },
    h('div', { class: 'lhead' }, h('h2', { id: 'now' }, t('library.underWay')), count),
    list,
  )
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
    const els = [...next.values()].map((row) => row.el)
    if (els.length !== list.children.length || els.some((one, index) => one !== list.children[index]))
      list.replaceChildren(...els)
    rows = next
    el.hidden = !all.length
    count.textContent = number(all.length)
  }
  return { el, update }
}

/** What is done, a page at a time. @param {boolean} may */
async function doneSection(may) {
  const count = h('span', { class: 'quiet num' })
  const list = h('ul', { class: 'items' })
  const none = h('p', { class: 'soft none' }, t('library.none'))
  const more = h(
    'div',
    { class: 'row more' },
    button(t('library.showMore', { n: PAGE }), { kind: 'line', onclick: () => read(true).catch(complain) }),
  )
  const states = /** @type {[string, string][]} */ ([
    ['all', t('filter.all')],
    ...ENDED.map((state) => [state, t(`filter.${state}`)]),
  ])
  const orders = /** @type {[string, string][]} */ (
    ['CREATED_AT_DESC', 'CREATED_AT_ASC', 'FINISHED_AT_DESC'].map((order) => [order, t(`order.${order}`)])
  )
  const again = (/** @type {'state' | 'order'} */ name) => (/** @type {string} */ value) => {
    wish[name] = value
    read(false).catch(complain)
  }
  const head = h(
    'div',
    { class: 'lhead' },
    h('h2', { id: 'then' }, t('library.recordings')),
    count,
    h('span', { class: 'grow' }),
    pick(t('filter.label'), states, { value: wish.state, onchange: again('state') }),
    pick(t('order.label'), orders, { value: wish.order, onchange: again('order') }),
  )
  const el = h('section', { 'aria-labelledby': 'then' }, head, list, none, more)
  let total = 0
  /** @type {string | null} */
  let cursor = null

  /** @param {boolean} further */
  async function read(further) {
    const filter = { states: wish.state === 'all' ? ENDED : [wish.state] }
    const { jobs: page } = await ask('Jobs', {
      first: PAGE,
      after: further ? cursor : null,
      filter,
      orderBy: wish.order,
    })
    for (const { node } of page.edges) learn(node, { silent: true })
    const rows = page.edges.map((/** @type {{node: import('../net/types.js').Job}} */ { node }) => doneRow(node, may))
    if (further) list.append(...rows)
    else list.replaceChildren(...rows)
    cursor = page.pageInfo.endCursor
    more.hidden = !page.pageInfo.hasNextPage
    total = page.totalCount
    count.textContent = number(total)
    none.hidden = total > 0
    el.hidden = !total && wish.state === 'all'
  }

  /** @param {string} id */
  async function changed(id) {
    const one = jobOf(id)
    const row = list.querySelector(`[data-job="${CSS.escape(id)}"]`)
    if (one && !WAITING.includes(one.state)) say(t(`finished.${one.state}`, { name: nameOf(one) }))
    if (!one && row) {
      row.remove()
      total--
      count.textContent = number(total)
      none.hidden = total > 0
    } else if (one) await read(false)
  }
  await read(false)
  return { el, total: () => total, changed }
}
