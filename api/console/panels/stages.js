// How far the recognition has come, while it runs.
import { button, h, icon } from '../base/dom.js'
import { lasted, percent, roughly, t } from '../base/words.js'
import { cancel } from '../library/acts.js'
import { timeLeft } from '../library/jobs.js'

/** @typedef {import('../net/types.js').Job} Job */
/** @typedef {import('../net/types.js').Stage} Stage */

/** Show the stages of a job. @param {Job} job @returns {import('./side.js').Panel} */
export function stagesPanel(job) {
  const left = timeLeft(job)
  const title =
    left === null ? percent(job.progress) : t('stages.title', { percent: percent(job.progress), time: roughly(left) })
  const rows = job.stages
    .filter(({ state }) => state !== 'SKIPPED')
    .map((one) =>
      h(
        'li',
        { class: one.state.toLowerCase(), 'aria-current': one.state === 'RUNNING' && 'step' },
        dot(one),
        h(
          'div',
          { class: 'grow' },
          h('p', null, t(`stage.${one.stage}`), h('span', { class: 'sr' }, t(`stageState.${one.state}`))),
          h('p', { class: 'quiet num' }, more(one)),
        ),
      ),
    )
  return {
    title,
    glyph: 'history',
    body: [
      h('ol', { class: 'stages' }, rows),
      h(
        'div',
        { class: 'row' },
        button(t('act.stop'), { glyph: 'close', kind: 'line small', 'data-focus': 'stop', onclick: () => cancel(job) }),
      ),
    ],
  }
}

/** @param {Stage} stage */
const dot = ({ state }) => h('span', { class: 'dot' }, state === 'DONE' && icon('check'))

/** @param {Stage} stage */
function more({ state, progress, seconds, stage }) {
  if (state === 'DONE' && seconds !== null) return lasted(seconds)
  if (state === 'RUNNING') return percent(progress)
  return t(`stages.${stage}`)
}
