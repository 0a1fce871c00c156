// Rows of recordings whose jobs have ended.
import { button, h, icon, own, present } from '../base/dom.js'
import { entry, popup } from '../base/popups.js'
import { clock, languageName, t, when } from '../base/words.js'
import { initials, personOf } from '../transcript/names.js'
import { problemWords } from '../net/reasons.js'
import { apart, mending, nameOf, remove, retry } from './acts.js'

/** @typedef {import('../net/types.js').Job} Job */

const OPEN = ['SUCCEEDED', 'PARTIAL']

/** Build the row of a job that has ended. @param {Job} job @param {boolean} may whether it may be changed */
export function doneRow(job, may) {
  const { transcript, media, state, problems } = job
  const open = OPEN.includes(state) && transcript
  const name = nameOf(job)
  const facts = [
    media.durationSeconds > 0 && clock(media.durationSeconds),
    open && transcript.language && languageName(transcript.language),
    open && transcript.speakers.length > 0 && t('library.speakers', { n: transcript.speakers.length }),
    open && transcript.revision > 1 && t('library.corrected'),
  ].filter(Boolean)
  const worst = problems.at(-1)
  const [what, remedy] = worst && state !== 'SUCCEEDED' && state !== 'CANCELED' ? problemWords(worst) : ['', '']
  const told =
    state === 'SUCCEEDED'
      ? null
      : h('b', { class: 'state' }, icon(state === 'CANCELED' ? 'close' : 'warn'), t(`state.${state}`))
  return h(
    'li',
    { class: `item ${state.toLowerCase()}`, 'data-job': job.id },
    h(
      'div',
      { class: 'grow' },
      h('h3', { class: 'jname' }, open ? h('a', { href: `#/t/${transcript.id}` }, own(name)) : own(name)),
      h(
        'p',
        { class: 'soft num' },
        present([
          told,
          told && facts.length > 0 && ' · ',
          facts.join(' · '),
          ...job.tags.map((tag) => h('span', { class: 'tag', dir: 'auto' }, tag)),
        ]),
      ),
      what && h('p', { class: 'problem' }, what, ' ', h('span', { class: 'soft' }, remedy)),
    ),
    open && transcript.speakers.length > 0 && people(transcript.speakers),
    h('span', { class: 'when quiet num' }, when(job.finishedAt ?? job.createdAt)),
    h('div', { class: 'acts' }, may && mending(job), may && more(job)),
  )
}

/** @param {any[]} speakers */
function people(speakers) {
  const shown = speakers.slice(0, 5)
  return h(
    'ul',
    { class: 'people', 'aria-label': t('transcript.speakers') },
    shown.map((one, index) =>
      h(
        'li',
        { class: `token sp-${(index % 8) + 1}`, title: personOf(one, index) },
        h('span', { 'aria-hidden': 'true' }, initials(one, index)),
        h('span', { class: 'sr' }, personOf(one, index)),
      ),
    ),
  )
}

/** @param {Job} job */
function more(job) {
  const words = t('act.moreNamed', { name: nameOf(job) })
  const open = (/** @type {any} */ event) =>
    popup(
      event.currentTarget,
      present([
        job.transcript &&
          OPEN.includes(job.state) &&
          entry(t('act.open'), () => (location.hash = `#/t/${job.transcript?.id}`), { glyph: 'file' }),
        job.transcript &&
          OPEN.includes(job.state) &&
          entry(t('act.export'), () => (location.hash = `#/t/${job.transcript?.id}?export`), { glyph: 'export' }),
        OPEN.includes(job.state) && entry(t('act.apartAgain'), () => apart(job), { glyph: 'people' }),
        ['FAILED', 'CANCELED'].includes(job.state) && entry(t('act.tryAgain'), () => retry(job), { glyph: 'undo' }),
        h('hr'),
        entry(t('act.deleteDots'), () => remove(job), { glyph: 'trash', kind: 'bad' }),
      ]),
      words,
    )
  return button(words, {
    glyph: 'more',
    bare: true,
    'aria-haspopup': 'dialog',
    'aria-expanded': 'false',
    onclick: open,
  })
}
