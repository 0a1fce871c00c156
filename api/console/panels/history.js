// What a transcript was, change by change; going back makes a new revision.
import { button, h, own } from '../base/dom.js'
import { t, when } from '../base/words.js'
import { ask } from '../net/graph.js'
import { complain } from '../net/reasons.js'

/** @typedef {import('../net/types.js').Revision} Revision */
/** @typedef {import('../transcript/document.js').Transcript} Transcript */

/**
 * Show the revisions, newest first.
 * @param {{transcript: Transcript, may: boolean, back: (number: number) => void}} context
 * @returns {import('./side.js').Panel}
 */
export function historyPanel({ transcript, may, back }) {
  const list = h('ol', { class: 'revs' })
  const more = button(t('library.showMore', { n: 20 }), {
    kind: 'line small',
    hidden: true,
    onclick: () => read().catch(complain),
  })
  /** @type {string | null} */
  let cursor = null
  async function read() {
    const { revisions } = (await ask('History', { id: transcript.id, after: cursor })).transcript
    list.append(...revisions.edges.map((/** @type {{node: Revision}} */ { node }) => row(node)))
    cursor = revisions.pageInfo.endCursor
    more.hidden = !revisions.pageInfo.hasNextPage
  }
  const row = (/** @type {Revision} */ revision) => {
    const { number, summary, author, createdAt } = revision
    const current = number === transcript.revision
    const who = author ? (author.name ?? t('history.somebody')) : t('history.machine')
    return h(
      'li',
      { class: current ? 'open' : '' },
      h(
        'div',
        { class: 'rev' },
        h('span', { class: 'no num' }, String(number)),
        h(
          'div',
          { class: 'grow' },
          h('p', null, h('b', { dir: 'auto' }, summary)),
          h('p', { class: 'quiet' }, own(who), `, ${when(createdAt)}`),
        ),
      ),
      may &&
        !current &&
        h(
          'div',
          { class: 'row tight' },
          button(t('history.back'), { glyph: 'undo', kind: 'small', onclick: () => back(number) }),
        ),
    )
  }
  read().catch(complain)
  return {
    title: t('transcript.history'),
    glyph: 'history',
    body: [list, more, h('p', { class: 'hint' }, t('history.hint'))],
  }
}
