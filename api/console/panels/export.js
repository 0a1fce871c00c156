// Takes a transcript away: a document, with a preview of captions as they will be cut.
import { button, h, icon, pick } from '../base/dom.js'
import { check, dialog, field, toast } from '../base/popups.js'
import { clock, known, number, t } from '../base/words.js'
import { act, ask, pause } from '../net/graph.js'
import { complain, problemWords } from '../net/reasons.js'
import { here } from '../net/session.js'

/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('../net/types.js').Caption} Caption */

const GROUPS = {
  subtitles: ['SRT', 'VTT', 'ASS', 'TTML'],
  documents: ['DOCX', 'PDF', 'HTML', 'MARKDOWN', 'TXT'],
  data: ['JSON', 'CSV', 'TSV', 'WHISPERX_JSON', 'RTTM', 'CTM', 'TEXTGRID'],
}
const NAMES = { MARKDOWN: 'Markdown', WHISPERX_JSON: 'WhisperX', TEXTGRID: 'TextGrid' }
const FAST = 20
const AFTER_CHANGE = 300

/** How captions are cut, and what text says; kept while the page is open. */
const wish = {
  format: 'SRT',
  maxCharsPerLine: 42,
  maxLines: 2,
  maxCharsPerSecond: 20,
  speakerLabels: true,
  timestamps: true,
}

/** Open the dialog. @param {Transcript} transcript @param {readonly string[]} formats that this server makes */
export function exportDialog(transcript, formats) {
  if (!formats.includes(wish.format)) wish.format = formats[0]
  const stage = h('div', { class: 'screen', role: 'img' })
  const list = h('ol', { class: 'caps', tabindex: 0, 'aria-label': t('export.captions') })
  const cuts = h(
    'div',
    { class: 'opts3' },
    [
      ['maxCharsPerLine', 'export.charsPerLine', [42, 37, 32, 60]],
      ['maxLines', 'export.lines', [2, 1, 3]],
      ['maxCharsPerSecond', 'export.charsPerSecond', [20, 17, 25]],
    ].map(([name, words, values]) =>
      number_(/** @type {any} */ (name), t(/** @type {string} */ (words)), /** @type {number[]} */ (values), () =>
        later(),
      ),
    ),
  )
  const about = h('p', { class: 'soft aboutformat' })
  const texts = h(
    'div',
    { class: 'row texts' },
    check(t('export.speakers'), wish.speakerLabels, (on) => ((wish.speakerLabels = on), later())),
    check(t('export.times'), wish.timestamps, (on) => (wish.timestamps = on)),
  )
  const count = h('span', { class: 'quiet num' })
  const download = button('', { glyph: 'export', kind: 'main', onclick: () => save() })
  const captioned = h('div', { class: 'preview' }, stage, list, cuts)
  const choose = (/** @type {string} */ format) => {
    wish.format = format
    const subtitles = GROUPS.subtitles.includes(format)
    captioned.hidden = !subtitles
    about.hidden = subtitles
    about.textContent = t(`export.about.${format}`)
    texts.hidden = GROUPS.data.includes(format)
    texts.lastElementChild.hidden = subtitles
    count.textContent = ''
    download.lastElementChild?.replaceChildren(t('export.download', { format: shown(format) }))
    if (subtitles) preview()
  }
  const groups = Object.entries(GROUPS)
    .map(([name, all]) => [name, all.filter((one) => formats.includes(one))])
    .filter(([, all]) => all.length)
  const chooser = h(
    'fieldset',
    { class: 'formats' },
    h('legend', { class: 'sr' }, t('export.format')),
    groups.map(([name, all]) =>
      h(
        'div',
        null,
        h('p', { class: 'over' }, t(`export.group.${name}`)),
        /** @type {string[]} */ (all).map((one) => format(one, choose)),
      ),
    ),
  )

  /** @type {any} */
  let timer
  const later = () => {
    clearTimeout(timer)
    timer = setTimeout(() => GROUPS.subtitles.includes(wish.format) && preview(), AFTER_CHANGE)
  }
  async function preview() {
    try {
      const { maxCharsPerLine, maxLines, maxCharsPerSecond, speakerLabels } = wish
      const options = { maxCharsPerLine, maxLines, maxCharsPerSecond, speakerLabels }
      const captions = (await ask('Captions', { id: transcript.id, options })).transcript.captions
      const found = captions.edges.map((/** @type {{node: Caption}} */ { node }) => node)
      show(found, captions.totalCount)
    } catch {
      stage.replaceChildren(h('p', { class: 'cap' }, t('export.noPreview')))
    }
  }
  /** @param {Caption[]} captions @param {number} total */
  function show(captions, total) {
    const put = ({ lines } = captions[0] ?? { lines: [] }) => {
      stage.setAttribute('aria-label', t('export.preview', { text: lines.join(' ') }))
      stage.replaceChildren(
        h(
          'p',
          { class: 'cap', dir: 'auto' },
          lines.map((line) => h('span', null, line)),
        ),
      )
    }
    put()
    list.replaceChildren(...captions.map((caption, index) => row(caption, index === 0, put)))
    count.textContent = t('export.count', { n: total, revision: transcript.revision })
  }
  async function save() {
    download.disabled = true
    const { format: chosen, maxCharsPerLine, maxLines, maxCharsPerSecond, speakerLabels, timestamps } = wish
    const captions = GROUPS.subtitles.includes(chosen)
      ? { maxCharsPerLine, maxLines, maxCharsPerSecond, speakerLabels }
      : null
    try {
      await fetchDocument({ transcriptId: transcript.id, format: chosen, captions, speakerLabels, timestamps })
      box.close()
    } catch (error) {
      complain(error)
    }
    download.disabled = false
  }
  const body = h('div', { class: 'export' }, chooser, h('div', { class: 'preview' }, captioned, about, texts))
  const box = dialog(t('export.title'), { body, foot: [count, download] })
  choose(wish.format)
}

/** @param {string} name */
const shown = (name) => /** @type {Record<string, string>} */ (NAMES)[name] ?? name

/** @param {string} name @param {(name: string) => void} choose */
function format(name, choose) {
  const radio = h('input', {
    type: 'radio',
    name: 'format',
    value: name,
    checked: name === wish.format,
    class: 'sr',
    autofocus: name === wish.format,
    onchange: () => choose(name),
  })
  return h(
    'label',
    { class: 'format' },
    radio,
    h('b', null, shown(name)),
    h('span', { class: 'quiet' }, known(`export.for.${name}`)),
  )
}

/**
 * @param {'maxCharsPerLine' | 'maxLines' | 'maxCharsPerSecond'} name
 * @param {string} words
 * @param {number[]} values
 * @param {() => void} changed
 */
function number_(name, words, values, changed) {
  const options = values.map((value) => /** @type {[string, string]} */ ([String(value), number(value)]))
  return field(
    words,
    pick(words, options, {
      id: name,
      value: String(wish[name]),
      boxed: true,
      onchange: (value) => ((wish[name] = Number(value)), changed()),
    }),
  )
}

/** @param {Caption} caption @param {boolean} on @param {(caption: Caption) => void} put */
function row(caption, on, put) {
  const { start, end, lines } = caption
  const speed = lines.join(' ').length / Math.max(0.1, end - start)
  const hover = (/** @type {any} */ event) => {
    for (const other of event.currentTarget.parentElement.children)
      other.classList.toggle('on', other === event.currentTarget)
    put(caption)
  }
  const pace = h(
    'span',
    { class: `num cps ${speed > FAST ? 'fast' : ''}`, title: t('export.pace') },
    speed > FAST && icon('warn'),
    number(speed, { maximumFractionDigits: 0 }),
    h('span', { 'aria-hidden': 'true' }, '/s'),
    h('span', { class: 'sr' }, ` ${t('export.pace')}`),
  )
  return h(
    'li',
    { class: on ? 'on' : '', onpointerenter: hover },
    h('span', { class: 'num quiet' }, clock(start)),
    h(
      'span',
      { class: 'grow', dir: 'auto' },
      lines.map((line) => h('span', { class: 'ln' }, line)),
    ),
    pace,
  )
}

/** Ask for a document, wait until it is made, and save it. @param {Record<string, any>} input */
async function fetchDocument(input) {
  let { export: made } = await act('Export', { input })
  for (let wait = 0.1; made.state === 'PENDING'; wait = Math.min(2, wait * 1.6)) {
    await pause(wait)
    made = (await ask('Exported', { id: made.id })).export
  }
  if (made.state !== 'READY') throw new Error(made.problem ? problemWords(made.problem).join(' ') : t('export.failed'))
  h('a', { href: here(made.downloadUrl), download: made.filename }).click()
  toast(t('export.saved', { name: made.filename }))
}
