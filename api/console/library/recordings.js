// The recordings that are done, a page at a time: filtered, ordered, kept in step.
import { button, h, pick, say } from '../base/dom.js'
import { number, t } from '../base/words.js'
import { ask } from '../net/graph.js'
import { complain } from '../net/reasons.js'
import { nameOf } from './acts.js'
import { doneRow } from './done.js'
import { WAITING, job as jobOf, learn } from './jobs.js'

const ENDED = ['SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELED']
const ORDERS = ['CREATED_AT_DESC', 'CREATED_AT_ASC', 'FINISHED_AT_DESC']
const PAGE = 20
const AFTER_TYPING = 250

/** Which recordings are shown, and how; kept while the page is open. */
const wish = { state: 'all', order: ORDERS[0], text: '' }

export class Recordings {
  /** @param {boolean} may whether they may be changed */
  constructor(may) {
    this.may = may
    this.total = 0
    this.asked = 0
    /** @type {string | null} */
    this.cursor = null
    this.count = h('span', { class: 'quiet num', role: 'status' })
    this.list = h('ul', { class: 'items' })
    this.none = h('p', { class: 'soft none' }, t('library.none'))
    const further = button(t('library.showMore', { n: PAGE }), { kind: 'line', onclick: () => this.#again(true) })
    this.more = h('div', { class: 'row more' }, further)
    this.el = h('section', { 'aria-labelledby': 'then' }, this.#head(), this.list, this.none, this.more)
  }

  /** Whether there is nothing, and nothing is left out by a filter. */
  get empty() {
    return !this.total && wish.state === 'all' && !wish.text
  }

  #head() {
    const states = [['all', t('filter.all')], ...ENDED.map((state) => [state, t(`filter.${state}`)])]
    const orders = ORDERS.map((order) => [order, t(`order.${order}`)])
    const change = (/** @type {Partial<typeof wish>} */ changed) => {
      Object.assign(wish, changed)
      this.#again(false)
    }
    /** @type {any} */
    let typing
    const type = () => {
      clearTimeout(typing)
      typing = setTimeout(() => change({ text: input.value.trim() }), AFTER_TYPING)
    }
    const input = h('input', { type: 'search', class: 'input filter', dir: 'auto', oninput: type })
    input.setAttribute('aria-label', t('filter.name'))
    input.placeholder = t('filter.name')
    input.value = wish.text
    return h(
      'div',
      { class: 'lhead' },
      h('h2', { id: 'then' }, t('library.recordings')),
      this.count,
      h('span', { class: 'grow' }),
      input,
      pick(t('filter.label'), /** @type {any} */ (states), {
        value: wish.state,
        onchange: (state) => change({ state }),
      }),
      pick(t('order.label'), /** @type {any} */ (orders), {
        value: wish.order,
        onchange: (order) => change({ order }),
      }),
    )
  }

  /** Read the first page, or a further one. @param {boolean} [further] */
  async read(further = false) {
    const mine = ++this.asked
    const filter = { states: wish.state === 'all' ? ENDED : [wish.state], text: wish.text || null }
    const after = further ? this.cursor : null
    const { jobs: page } = await ask('Jobs', { first: PAGE, after, filter, orderBy: wish.order })
    if (mine !== this.asked) return
    const found = page.edges.map((/** @type {any} */ { node }) => node)
    for (const job of found) learn(job, { silent: true })
    const rows = found.map((/** @type {import('../net/types.js').Job} */ job) => doneRow(job, this.may))
    if (further) this.list.append(...rows)
    else this.list.replaceChildren(...rows)
    this.cursor = page.pageInfo.endCursor
    this.more.hidden = !page.pageInfo.hasNextPage
    this.#counted(page.totalCount)
  }

  /** A job has ended. @param {string} id */
  async finished(id) {
    const job = jobOf(id)
    if (job) say(t(`finished.${job.state}`, { name: nameOf(job) }))
    await this.read()
  }

  /** A job is other than before: its row is, too. @param {string} id */
  changed(id) {
    const [job, row] = [jobOf(id), this.#row(id)]
    if (job && row && !row.contains(document.activeElement)) row.replaceWith(doneRow(job, this.may))
    if (job && row && WAITING.includes(job.state)) this.gone(id)
  }

  /** A job is no longer there. @param {string} id */
  gone(id) {
    const row = this.#row(id)
    row?.remove()
    if (row) this.#counted(this.total - 1)
  }

  /** @param {string} id */
  #row(id) {
    return this.list.querySelector(`[data-job="${CSS.escape(id)}"]`)
  }

  /** @param {number} total */
  #counted(total) {
    this.total = total
    this.count.textContent = number(total)
    this.none.hidden = total > 0
    this.el.hidden = this.empty
  }

  /** @param {boolean} further */
  #again(further) {
    this.read(further).catch(complain)
  }
}
