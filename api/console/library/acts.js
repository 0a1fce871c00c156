// What can be done to a job, wherever it is shown.
import { button } from '../base/dom.js'
import { confirmed, toast } from '../base/popups.js'
import { t } from '../base/words.js'
import { act } from '../net/graph.js'
import { complain } from '../net/reasons.js'
import { learn, unlearn } from './jobs.js'

/** @typedef {import('../net/types.js').Job} Job */

/** Return what a job is called. @param {Job} job */
export const nameOf = (job) => job.transcript?.title ?? job.media.filename

/** @param {string} name @param {Record<string, any>} variables */
async function done(name, variables) {
  try {
    learn((await act(name, variables)).job)
  } catch (error) {
    complain(error)
  }
}

/** Cancel a job. @param {Job} job */
export const cancel = (job) => done('Cancel', { id: job.id })

/** Try a job again. @param {Job} job */
export const retry = (job) => done('Retry', { id: job.id })

/** Tell the speakers of a job apart again. @param {Job} job @param {number | null} [count] */
export const apart = (job, count = null) =>
  done('Rerun', { id: job.id, input: { stage: 'DIARIZE', numSpeakers: count } })

/** Delete a job with all that belongs to it, once asked. @param {Job} job @returns {Promise<boolean>} */
export async function remove(job) {
  const sure = await confirmed(t('delete.title'), t('delete.words', { name: nameOf(job) }), t('act.delete'))
  if (!sure) return false
  try {
    await act('Delete', { id: job.id })
    unlearn(job.id)
    toast(t('delete.done', { name: nameOf(job) }))
    return true
  } catch (error) {
    complain(error)
    return false
  }
}

/** Build the one button that mends what is wrong with a job, if there is one. @param {Job} job */
export function mending(job) {
  const line = { kind: 'line small' }
  if (job.state === 'CANCELED') return button(t('act.startAgain'), { ...line, onclick: () => retry(job) })
  if (job.state === 'FAILED' && job.problems.some((one) => one.retryable))
    return button(t('act.tryAgain'), { ...line, onclick: () => retry(job) })
  if (job.state === 'PARTIAL') return button(t('act.tryAgain'), { ...line, onclick: () => retry(job) })
  return null
}
