// What a transcript was, change by change; going back makes a new revision.
import { button, h, own } from '../base/dom.js'
import { clock, t, when } from '../base/words.js'
import { ask } from '../net/graph.js'
import { complain } from '../net/reasons.js'
import { changed } from './changes.js'

/** @typedef {import('../net/types.js').Revision} Revision */
/** @typedef {import('../transcript/document.js').Transcript} Transcript */

/**
 * @typedef {object} Context
 * @property {Transcript} transcript
 * @property {boolean} may
 * @property {(number: number) => void} back goes back to a revision
 * @property {(line: string) => void} show shows a line in the text
 */

/**
 * Show the revisions, newest first.
 * @param {Context} context
 * @returns {import('./side.js').Panel}
 */
export function historyPanel({ transcript, may, back, show }) {
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
    const { number, summary, author, createdAt, changes } = revision
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
      changes.length > 0 && differences(revision, show),
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

/**
 * Show what a revision changed, line by line.
 * @param {Revision} revision
 * @param {(line: string) => void} show
 */
function differences({ changes }, show) {
  const rows = changes.map(({ segmentId, start, before, after, speakerBefore, speakerAfter }) => {
    const who = speakerBefore !== speakerAfter && [
      speakerBefore && h('del', null, own(speakerBefore)),
      ' ',
      speakerAfter && h('ins', null, own(speakerAfter)),
    ]
    const place = h('button', { type: 'button', class: 'plain num', onclick: () => show(segmentId) }, clock(start))
    const words = before !== after && h('p', { class: 'read', dir: 'auto' }, changed(before ?? '', after ?? ''))
    return h('li', null, h('p', { class: 'quiet' }, place, ' ', who), words)
  })
  const summary = h('summary', null, t('history.changes', { n: changes.length }))
  return h('details', { class: 'diff', open: changes.length === 1 }, summary, h('ul', null, rows))
}
