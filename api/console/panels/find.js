// Finds in the transcript: hits painted over the text, listed, stepped through.
import { button, h } from '../base/dom.js'
import { clock, t } from '../base/words.js'

/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('../reader/text.js').TextView} TextView */
/** @typedef {import('../reader/paint.js').Span} Span */

/** @typedef {(step: ((by: number) => void) | null) => void} Stepped */
/** @typedef {(line: string, at: number) => void} Seek */
/** @typedef {{transcript: Transcript, text: TextView, seek: Seek, stepped: Stepped}} Context */

const LISTED = 200
const BEFORE = 26

/** @type {WeakMap<Transcript, string>} what was looked for last */
const asked = new WeakMap()

/** Look for something when the panel opens. @param {Transcript} transcript @param {string} words */
export const lookFor = (transcript, words) => asked.set(transcript, words)

/**
 * Show the panel.
 * @param {Context} context
 * @returns {import('./side.js').Panel}
 */
export function findPanel({ transcript, text, seek, stepped }) {
  const count = h('span', { class: 'quiet num', role: 'status' })
  const list = h('ul', { class: 'hits' })
  /** @type {Span[]} */
  let hits = []
  let now = -1
  const go = (/** @type {number} */ place) => {
    if (!hits.length) return
    now = (place + hits.length) % hits.length
    const [id, at] = hits[now]
    text.paint.mark('hit-now', [hits[now]])
    text.spans.get(id)?.scrollIntoView({ block: 'center' })
    seek(id, at)
    count.textContent = t('find.place', { i: now + 1, n: hits.length })
    list.querySelector('.on')?.classList.remove('on')
    list.children[now]?.firstElementChild.classList.add('on')
  }
  const search = () => {
    hits = places(transcript, input.value)
    now = -1
    asked.set(transcript, input.value)
    text.paint.mark('hit', hits)
    text.paint.mark('hit-now', [])
    count.textContent = !input.value ? '' : hits.length ? t('find.count', { n: hits.length }) : t('find.none')
    list.replaceChildren(
      ...hits.slice(0, LISTED).map((span, index) =>
        h(
          'li',
          null,
          row(span, () => go(index)),
        ),
      ),
    )
  }
  const row = (/** @type {Span} */ [id, at, length], /** @type {() => void} */ press) => {
    const line = /** @type {import('../transcript/document.js').Line} */ (transcript.line(id))
    const from = at < BEFORE ? 0 : line.text.indexOf(' ', at - BEFORE) + 1
    const words = [
      from > 0 && '…',
      line.text.slice(from, at),
      h('mark', null, line.text.slice(at, at + length)),
      line.text.slice(at + length, at + length + 40),
    ]
    return h(
      'button',
      { type: 'button', class: 'plain hit', onclick: press },
      h('span', { class: 'num quiet' }, clock(line.start)),
      h('span', { dir: 'auto' }, words),
    )
  }
  const input = h('input', {
    type: 'search',
    class: 'input',
    placeholder: t('find.label'),
    'aria-label': t('find.label'),
    dir: 'auto',
    oninput: search,
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Enter') return
      event.preventDefault()
      go(now + (event.shiftKey ? -1 : 1))
    },
  })
  input.value = asked.get(transcript) ?? ''
  if (input.value) queueMicrotask(() => (search(), go(0)))
  stepped((by) => go(now + by))
  const steps = h(
    'div',
    { class: 'row tight' },
    count,
    h('span', { class: 'grow' }),
    button(t('find.previous'), { glyph: 'up', bare: true, onclick: () => go(now - 1) }),
    button(t('find.next'), { glyph: 'down', bare: true, onclick: () => go(now + 1) }),
  )
  const close = () => {
    stepped(null)
    text.paint.mark('hit', [])
    text.paint.mark('hit-now', [])
  }
  return { title: t('transcript.find'), glyph: 'search', body: [input, steps, list], close }
}

/**
 * Return every place where something is said.
 * @param {Transcript} transcript
 * @param {string} words
 * @returns {Span[]}
 */
function places({ lines, language }, words) {
  const lower = (/** @type {string} */ text) => {
    try {
      return text.toLocaleLowerCase(language ?? undefined)
    } catch {
      return text.toLowerCase()
    }
  }
  const sought = lower(words)
  /** @type {Span[]} */
  const found = []
  if (!sought.trim()) return found
  for (const { id, text } of lines) {
    const where = lower(text)
    for (let at = where.indexOf(sought); at >= 0; at = where.indexOf(sought, at + sought.length))
      found.push([id, at, sought.length])
  }
  return found
}
