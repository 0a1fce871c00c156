// Rows of what is under way: being sent, being recognised, waiting in line.
import { button, h, icon, own, present } from '../base/dom.js'
import { clock, percent, roughly, size, t } from '../base/words.js'
import { draw, waveform } from '../reader/waveform.js'
import { ask } from '../net/graph.js'
import { reason } from '../net/reasons.js'
import { cancel, nameOf } from './acts.js'
import { lastWords, timeLeft } from './jobs.js'
import { again, drop } from './sending.js'

/** @typedef {import('../net/types.js').Job} Job */
/** @typedef {import('./sending.js').Sending} Sending */
/** @typedef {{el: HTMLElement, shape: string, update: (one: any) => void}} Row */

const SHOWN = ['FETCH', 'DECODE', 'LOAD', 'TRANSCRIBE', 'ALIGN', 'DIARIZE']
const NEVER = ['SKIPPED']

/** Build the row of a file on its way. @param {Sending} first @returns {Row} */
export function sendingRow(first) {
  const facts = h('p', { class: 'soft num' })
  const line = h(
    'div',
    { class: 'bar-line', role: 'progressbar', 'aria-label': first.file.name, 'aria-valuemin': 0, 'aria-valuemax': 100 },
    h('span'),
  )
  const retry = button(t('act.tryAgain'), { kind: 'line small', hidden: true, onclick: () => again(first) })
  const acts = h(
    'div',
    { class: 'acts' },
    retry,
    button(t('act.cancelNamed', { name: first.file.name }), { glyph: 'close', bare: true, onclick: () => drop(first) }),
  )
  const el = h(
    'li',
    { class: 'job' },
    h('div', { class: 'grow' }, h('h3', { class: 'jname' }, own(first.file.name)), facts, line),
    acts,
  )
  const update = (/** @type {Sending} */ one) => {
    const part = one.file.size ? one.sent / one.file.size : 0
    const left = one.speed > 0 ? t('library.left', { time: roughly((one.file.size - one.sent) / one.speed) }) : ''
    const words = {
      waiting: () => t('sending.waiting', { size: size(one.file.size) }),
      sending: () =>
        [
          t('sending.sending', { percent: percent(part), size: size(one.file.size) }),
          one.speed > 0 && t('sending.speed', { speed: size(one.speed) }),
          left,
        ]
          .filter(Boolean)
          .join(', '),
      checking: () => t('sending.checking'),
      offline: () => t('sending.offline'),
      full: () => t('sending.full'),
      failed: () => reason(one.refusal),
    }[one.state]()
    facts.textContent = words
    facts.classList.toggle('wrongly', one.state === 'failed')
    line.hidden = one.state === 'failed' || one.state === 'waiting'
    line.setAttribute('aria-valuenow', String(Math.round(part * 100)))
    line.style.setProperty('--part', `${part * 100}%`)
    retry.hidden = one.state !== 'failed'
  }
  update(first)
  return { el, shape: 'sending', update }
}

/** Build the row of a job that waits in line. @param {Job} first @returns {Row} */
function queuedRow(first) {
  const facts = h('p', { class: 'soft num' })
  const el = h(
    'li',
    { class: 'job flat' },
    h('div', { class: 'grow' }, h('h3', { class: 'jname' }, own(nameOf(first))), facts),
    h('div', { class: 'acts' }, canceling(first)),
  )
  const update = (/** @type {Job} */ job) => {
    const wait = timeLeft(job)
    const place =
      job.queuePosition == null
        ? t('library.inLine')
        : job.queuePosition === 1
          ? t('library.nextInLine')
          : t('library.placeInLine', { n: job.queuePosition })
    const words = wait == null ? place : t('library.starts', { place, time: roughly(wait) })
    facts.textContent = `${words} · ${clock(job.media.durationSeconds)}`
  }
  update(first)
  return { el, shape: 'QUEUED', update }
}

/** Build the row of a job that a worker is at. @param {Job} first @returns {Row} */
function runningRow(first) {
  const name = h('h3', { class: 'jname' })
  const facts = h('p', { class: 'soft num' })
  const steps = h('ol', { class: 'steps', 'aria-label': t('library.stages') })
  const live = h('p', { class: 'lasttext read', dir: 'auto', hidden: true })
  const canvas = h('canvas', { class: 'mini', 'aria-hidden': 'true' })
  const bar = h(
    'div',
    { class: 'wavebox', role: 'progressbar', 'aria-label': nameOf(first), 'aria-valuemin': 0, 'aria-valuemax': 100 },
    canvas,
  )
  let [part, drawn] = [0, '']
  /** @type {number[]} */
  let peaks = []
  const paint = () => draw(canvas, peaks, part)
  waveform(canvas, paint)
  ask('Wave', { id: first.media.id, buckets: 400 }).then(
    ({ media }) => ((peaks = media?.peaks ?? []), paint()),
    () => {},
  )
  const el = h(
    'li',
    { class: 'job running' },
    h('div', { class: 'grow' }, name, facts, bar, steps, live),
    h('div', { class: 'acts' }, canceling(first)),
  )
  const update = (/** @type {Job} */ job) => {
    const [left, stage] = [
      timeLeft(job),
      job.stage ? t(`stage.${job.stage}`) : job.progress > 0 ? t('stage.PERSIST') : t('library.begins'),
    ]
    const title = job.transcript ? h('a', { href: `#/t/${job.transcript.id}` }, own(nameOf(job))) : own(nameOf(job))
    if (name.textContent !== nameOf(job) || !name.querySelector('a') !== !job.transcript) name.replaceChildren(title)
    const ends = left == null ? '' : `, ${t('library.left', { time: roughly(left) })}`
    facts.replaceChildren(
      h('b', { class: 'stage' }, stage),
      ` ${percent(job.progress)}${ends} · ${clock(job.media.durationSeconds)}`,
    )
    bar.setAttribute('aria-valuenow', String(Math.round(job.progress * 100)))
    const hearing = job.stages.find(({ stage: one }) => one === 'TRANSCRIBE')
    part = hearing?.state === 'DONE' ? 1 : (hearing?.progress ?? 0)
    paint()
    const shape = job.stages.map(({ stage: one, state }) => one + state).join()
    if (shape !== drawn) steps.replaceChildren(...stages(job))
    drawn = shape
    const words = lastWords(job.id)
    live.hidden = !words
    if (words && live.dataset.words !== words)
      live.replaceChildren(
        h('span', { class: 'sr' }, `${t('library.lastWords')} `),
        words,
        h('span', { class: 'cursor' }),
      )
    live.dataset.words = words
  }
  update(first)
  return { el, shape: 'RUNNING', update }
}

/** @param {Job} job */
function stages(job) {
  return job.stages
    .filter(({ stage, state }) => SHOWN.includes(stage) && !NEVER.includes(state))
    .map(({ stage, state }) =>
      h(
        'li',
        { class: state.toLowerCase(), 'aria-current': state === 'RUNNING' && 'step' },
        present([
          state === 'DONE' && icon('check'),
          state === 'FAILED' && icon('warn'),
          t(`stage.${stage}`),
          h('span', { class: 'sr' }, t(`stageState.${state}`)),
        ]),
      ),
    )
}

/** @param {Job} job */
const canceling = (job) =>
  button(t('act.cancelNamed', { name: nameOf(job) }), { glyph: 'close', bare: true, onclick: () => cancel(job) })

/** Build the row of a job that has not ended. @param {Job} job @returns {Row} */
export const jobRow = (job) => (job.state === 'RUNNING' ? runningRow(job) : queuedRow(job))
