// What is asked of the next recordings, in plain words; kept while the page is open, and nowhere else.
import { button, h, pick } from '../base/dom.js'
import { check, dialog, field, leave } from '../base/popups.js'
import { languageName, t } from '../base/words.js'

/** @typedef {import('../net/types.js').Start} Start */

/** @type {{language: string, speakers: string, model: string, translate: boolean, words: string, tags: string}} */
const chosen = { language: '', speakers: 'auto', model: '', translate: false, words: '', tags: '' }

/** Split what was written into parts, at commas and lines. @param {string} words */
const parts = (words) =>
  words
    .split(/[,\n]/)
    .map((part) => part.trim())
    .filter(Boolean)

/** Return the options as `createJob` takes them. */
export function asked() {
  const count = Number(chosen.speakers)
  return {
    language: chosen.language || null,
    model: chosen.model || null,
    task: chosen.translate ? 'TRANSLATE' : 'TRANSCRIBE',
    diarize: chosen.speakers !== 'none',
    numSpeakers: count || null,
    hotwords: chosen.words ? parts(chosen.words) : null,
    tags: chosen.tags ? parts(chosen.tags) : null,
  }
}

/** Build the line of options. @param {Start} start */
export function wishes({ capabilities }) {
  const languages = [...new Set(capabilities.models.flatMap((model) => model.languages))].map(
    (code) => /** @type {[string, string]} */ ([code, languageName(code)]),
  )
  const named = languages.sort((a, b) => a[1].localeCompare(b[1]))
  const counts = [2, 3, 4, 5, 6, 7, 8].map((n) => /** @type {[string, string]} */ ([String(n), String(n)]))
  const apart = capabilities.diarization.available
    ? [['auto', t('options.apart')], ...counts, ['none', t('options.notApart')]]
    : [['none', t('options.notApart')]]
  if (!capabilities.diarization.available) chosen.speakers = 'none'
  const models = capabilities.models.map(
    (model) => /** @type {[string, string]} */ ([model.default ? '' : model.name, model.name]),
  )
  const choice = (/** @type {'language' | 'speakers' | 'model'} */ name, /** @type {any} */ options) =>
    h(
      'span',
      null,
      `${t(`options.${name}`)} `,
      pick(t(`options.${name}`), options, { value: chosen[name], onchange: (value) => (chosen[name] = value) }),
    )
  return h(
    'div',
    { class: 'wishes', role: 'group', 'aria-label': t('options.label') },
    choice('language', [['', t('options.anyLanguage')], ...named]),
    choice('speakers', apart),
    models.length > 1 && choice('model', models),
    button(t('options.more'), { kind: 'small', glyph: 'settings', onclick: more }),
  )
}

function more() {
  const words = h('textarea', { class: 'input', rows: 3, dir: 'auto' }, chosen.words)
  const tags = h('input', { class: 'input', value: chosen.tags, dir: 'auto' })
  let translate = chosen.translate
  const keep = () => {
    Object.assign(chosen, { words: words.value, tags: tags.value, translate })
    box.close()
  }
  const body = [
    field(t('options.words'), words, t('options.wordsHint')),
    field(t('options.tags'), tags, t('options.tagsHint')),
    check(t('options.translate'), translate, (on) => (translate = on), t('options.translateHint')),
  ]
  const foot = [leave(t('act.cancel')), button(t('act.keep'), { kind: 'main', type: 'submit' })]
  const box = dialog(t('options.title'), { narrow: true, body, foot, submit: keep })
}
