// Says in words why something could not be done.
import { toast } from '../base/popups.js'
import { known, t } from '../base/words.js'
import { Refusal, Unreachable } from './graph.js'

/** @typedef {import('./types.js').Problem} Problem */

/** Return what to say of something that could not be done. @param {unknown} error */
export function reason(error) {
  if (error instanceof Unreachable) return t('error.UNREACHABLE')
  if (!(error instanceof Refusal)) return String(error)
  const words = known(`error.${error.code}`) ?? error.message
  return error.code === 'INTERNAL' && error.correlationId
    ? `${words} ${t('error.reference', { id: error.correlationId.slice(0, 8) })}`
    : words
}

/** Return what went wrong with a job and what to do about it. @param {Problem} problem */
export const problemWords = ({ code, message, remedy }) => [
  known(`problem.${code}`) ?? message,
  known(`remedy.${code}`) ?? remedy ?? '',
]

/** Say what could not be done. @param {unknown} error */
export const complain = (error) => toast(reason(error), null, { alarm: true })
