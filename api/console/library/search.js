// What was found in all transcripts.
import { button, h, own } from '../base/dom.js'
import { clock, t } from '../base/words.js'
import { ask } from '../net/graph.js'
import { personOf } from '../transcript/names.js'
import { complain } from '../net/reasons.js'

/** Show where something was said. @param {string} query */
export async function found(query) {
  const list = h('ul', { class: 'items results' })
  const count = h('p', { class: 'soft', role: 'status' })
  const more = button(t('library.showMore', { n: 20 }), { kind: 'line', onclick: () => read().catch(complain) })
  const main = h(
    'main',
    { id: 'main', tabindex: -1, class: 'page lib' },
    h('h1', { class: 'title' }, own(`“${query}”`)),
    count,
    list,
    h('div', { class: 'row more' }, more),
  )
  /** @type {string | null} */
  let cursor = null
  async function read() {
    const { search } = await ask('Search', { query, after: cursor })
    list.append(...search.edges.map((/** @type {any} */ { node }) => hit(node, query)))
    cursor = search.pageInfo.endCursor
    more.hidden = !search.pageInfo.hasNextPage
    count.textContent = search.totalCount ? t('search.count', { n: search.totalCount }) : t('search.none')
  }
  if (query.trim()) await read()
  return { title: `“${query}”`, main }
}

/** @param {any} hit @param {string} query */
function hit({ start, snippet, highlights, transcript, segment }, query) {
  let at = 0
  const words = highlights.flatMap((/** @type {{offset: number, length: number}} */ { offset, length }) => {
    const before = snippet.slice(at, offset)
    at = offset + length
    return [before, h('mark', null, snippet.slice(offset, at))]
  })
  words.push(snippet.slice(at))
  const place = `#/t/${transcript.id}?at=${start}&find=${encodeURIComponent(query)}`
  const who = segment.speaker ? [' · ', own(personOf(segment.speaker))] : []
  return h(
    'li',
    { class: 'item' },
    h(
      'div',
      { class: 'grow' },
      h('p', { class: 'read', lang: transcript.language, dir: 'auto' }, words),
      h('p', { class: 'quiet num' }, h('a', { href: place }, own(transcript.title)), ` · ${clock(start)}`, who),
    ),
  )
}
