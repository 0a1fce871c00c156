// Text as it comes, while Whisper listens.
import { watch } from '../net/socket.js'
import { again } from './open.js'

/** @typedef {import('./document.js').Transcript} Transcript */

/**
 * Follow a job until it has ended.
 * @param {Transcript} transcript @param {AbortSignal} signal @param {(job: any) => void} got
 */
export function followLive(transcript, signal, got) {
  const next = async (/** @type {any} */ event) => {
    if (event.segments) transcript.lay(event.segments, event.removedIds)
    if (event.job && !['QUEUED', 'RUNNING'].includes(event.job.state)) await again(transcript)
    if (event.job) got(event.job)
  }
  const stop = watch(
    'Live',
    { job: transcript.facts.job.id },
    { next, stale: () => signal.aborted || again(transcript) },
  )
  signal.addEventListener('abort', stop)
}
