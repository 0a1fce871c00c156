// Who speaks: named, joined, given to a part of the text.
import { button, h, icon, own, present } from '../base/dom.js'
import { dialog, entry, field, leave, popup } from '../base/popups.js'
import { known, lasted, percent, t } from '../base/words.js'
import { initials, personOf } from '../transcript/names.js'

/** @typedef {import('../net/types.js').Speaker} Speaker */
/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('../transcript/document.js').Line} Line */
/** @typedef {import('../transcript/corrections.js').Corrections} Corrections */
/** @typedef {{transcript: Transcript, corrections: Corrections, may: boolean, hear: (line: Line) => void}} Context */

export const DRAGGED = 'application/x-graphophone-speaker'

/** Draw a speaker's token. @param {Speaker} speaker @param {number} place */
export const token = (speaker, place) =>
  h('span', { class: `token sp-${(place % 8) + 1}`, 'aria-hidden': 'true' }, initials(speaker, place))

/** Show the speakers and how the transcript was made. @param {Context} context @returns {import('./side.js').Panel} */
export function speakersPanel(context) {
  const { transcript, may } = context
  const all = transcript.speakers.reduce((sum, speaker) => sum + speaker.seconds, 0)
  const list = h(
    'ul',
    { class: 'speakers' },
    transcript.speakers.map((speaker, place) => row(context, speaker, place, all ? speaker.seconds / all : 0)),
  )
  return {
    title: t('transcript.speakers'),
    glyph: 'people',
    body: [
      !transcript.speakers.length && h('p', { class: 'soft' }, t('speakers.none')),
      list,
      may && transcript.speakers.length > 0 && h('p', { class: 'hint' }, t('speakers.dragHint')),
      made(transcript),
    ],
  }
}

/** @param {Context} context @param {Speaker} speaker @param {number} place @param {number} part */
function row(context, speaker, place, part) {
  const { may } = context
  const name = personOf(speaker, place)
  const menu = (/** @type {any} */ event) => speakerMenu(event.currentTarget, context, speaker.id, [])
  const words = speaker.name ? own(name) : [own(name), may && h('span', { class: 'add' }, t('speakers.name'))]
  const drag = (/** @type {DragEvent} */ event) => event.dataTransfer?.setData(DRAGGED, speaker.id)
  return h(
    'li',
    { class: `sp-${(place % 8) + 1}`, draggable: may ? 'true' : null, ondragstart: drag },
    token(speaker, place),
    h(
      'div',
      { class: 'grow' },
      may
        ? h(
            'button',
            {
              type: 'button',
              class: `plain ${speaker.name ? '' : 'ask'}`,
              'aria-haspopup': 'dialog',
              'aria-expanded': 'false',
              'data-focus': speaker.id,
              onclick: menu,
            },
            words,
          )
        : h('b', null, words),
      h(
        'span',
        { class: 'share' },
        h('span', { class: 'fill', vars: { '--part': `${Math.round(part * 100)}%` } }),
        h('span', { class: 'num quiet' }, percent(part)),
      ),
    ),
  )
}

/**
 * Open what can be done about a speaker; `lines` is the part of the text that it was opened at, if any.
 * @param {HTMLElement} anchor @param {Context} context @param {string} id @param {Line[]} lines
 */
export function speakerMenu(anchor, context, id, lines) {
  const { transcript, corrections, may, hear } = context
  const place = transcript.speakerIndex(id)
  const speaker = transcript.speakers[place]
  if (!speaker) return
  const others = transcript.speakers
    .map((one, at) => /** @type {[Speaker, number]} */ ([one, at]))
    .filter(([one]) => one.id !== id)
  const first = lines[0] ?? transcript.lines.find((line) => line.speaker === id)
  const input = h('input', {
    class: 'input grow',
    id: 'speaker-name',
    value: speaker.name ?? '',
    placeholder: personOf(speaker, place),
    maxlength: 100,
    autocomplete: 'off',
    dir: 'auto',
    autofocus: true,
  })
  const rename = (/** @type {Event} */ event) => {
    event.preventDefault()
    menu.hidePopover()
    const name = input.value.trim()
    if (name && name !== speaker.name) corrections.name(id, name)
  }
  const form = h(
    'form',
    { class: 'rename', onsubmit: rename },
    h('label', { class: 'label', for: 'speaker-name' }, t('speakers.nameLabel')),
    h('div', { class: 'row' }, input, button(t('act.rename'), { kind: 'main', type: 'submit' })),
    h('p', { class: 'hint' }, t('speakers.nameHint')),
  )
  const give = others.map(([one, at]) =>
    entry(personOf(one, at), () => corrections.assign(lines, one.id), {
      lead: token(one, at),
      key: at < 8 ? String(at + 1) : '',
      own: true,
    }),
  )
  const join = others.map(([one, at]) =>
    entry(personOf(one, at), () => corrections.same(id, one.id), { lead: token(one, at), own: true }),
  )
  const body = present([
    may && form,
    may && lines.length > 0 && [h('hr'), group('speakers.saidBy', [...give, someone(context, lines)])],
    may &&
      others.length > 0 && [
        h('hr'),
        h(
          'details',
          null,
          h('summary', { class: 'btn' }, icon('people'), h('span', null, t('speakers.same'))),
          group('speakers.sameAs', join),
        ),
      ],
    first && [h('hr'), entry(t('speakers.hear'), () => hear(first), { glyph: 'play' })],
  ])
  const menu = popup(anchor, body, personOf(speaker, place))
  input.select?.()
}

/** Build the entry that names somebody who was not told apart. @param {Context} context @param {Line[]} lines */
function someone({ corrections }, lines) {
  const ask = () => {
    const input = h('input', { class: 'input', maxlength: 100, required: true, autocomplete: 'off', dir: 'auto' })
    const send = () => {
      const name = input.value.trim()
      box.close()
      if (name) corrections.newSpeaker(lines, name)
    }
    const foot = [leave(t('act.cancel')), button(t('act.keep'), { kind: 'main', type: 'submit' })]
    const body = field(t('speakers.nameLabel'), input)
    const box = dialog(t('speakers.someone'), { narrow: true, body, foot, submit: send })
  }
  return entry(t('speakers.someone'), ask, { glyph: 'plus' })
}

/** @param {string} title @param {Node[]} entries */
function group(title, entries) {
  const id = title.replace('.', '-')
  return h('div', { role: 'group', 'aria-labelledby': id }, h('p', { class: 'over', id }, t(title)), entries)
}

/** Tell how the transcript was made. @param {Transcript} transcript */
function made({ facts: { provenance } }) {
  const took = provenance.stageSeconds.reduce(
    (/** @type {number} */ sum, /** @type {{seconds: number}} */ { seconds }) => sum + seconds,
    0,
  )
  const rows = [
    ['recognised', provenance.asrModel],
    ['timed', provenance.alignModel],
    ['apart', provenance.diarizationModel],
    ['on', known(`made.device.${provenance.device}`) ?? provenance.device],
    ['took', took > 0 && lasted(took)],
  ].filter(([, value]) => value)
  return h(
    'details',
    { class: 'about' },
    h('summary', null, t('made.title')),
    h(
      'dl',
      null,
      rows.map(([key, value]) => h('div', null, h('dt', null, t(`made.${key}`)), h('dd', null, value))),
    ),
  )
}
