// The jobs that this page knows: read once, kept in step by one subscription, for all views.
import { ask } from '../net/graph.js'
import { complain } from '../net/reasons.js'
import { watch } from '../net/socket.js'

/** @typedef {import('../net/types.js').Job} Job */

export const WAITING = ['QUEUED', 'RUNNING']

/** Events: `change` with the id of a job (null: of all), `gone`, `finished`. */
export const jobs = new EventTarget()

/** @type {Map<string, Job>} */
const known = new Map()
/** What Whisper heard last, by job. @type {Map<string, string>} */
const heard = new Map()
/**
 * When each forecast was made, in milliseconds, so that time left can count down between events.
 * @type {Map<string, number>}
 */
const told = new Map()
/** @type {(() => void) | null} */
let stop = null

/** Return a job. @param {string} id */
export const job = (id) => known.get(id)

/** Return what Whisper heard last in a job. @param {string} id */
export const lastWords = (id) => heard.get(id) ?? ''

/** Return the jobs that have not ended, running ones first, then in the order of the line. @returns {Job[]} */
export function underWay() {
  const rank = (/** @type {Job} */ one) => (one.state === 'RUNNING' ? 0 : (one.queuePosition ?? 1e6))
  return [...known.values()].filter((one) => WAITING.includes(one.state)).sort((a, b) => rank(a) - rank(b))
}

/**
 * Return the seconds that a job will still take, counted down since it was told; null while that is unknown.
 * @param {Job} one
 */
export function timeLeft({ id, etaSeconds, startsInSeconds, state }) {
  const forecast = state === 'QUEUED' ? startsInSeconds : etaSeconds
  return forecast == null ? null : Math.max(0, forecast - (Date.now() - (told.get(id) ?? Date.now())) / 1000)
}

/** Take in a job as an answer or an event shows it. @param {Job} one @param {{silent?: boolean}} [how] */
export function learn(one, { silent } = {}) {
  const before = known.get(one.id)
  if (before?.etaSeconds !== one.etaSeconds || before?.startsInSeconds !== one.startsInSeconds)
    told.set(one.id, Date.now())
  known.set(one.id, one)
  if (silent) return
  tell('change', one.id)
  if (before && WAITING.includes(before.state) && !WAITING.includes(one.state)) tell('finished', one.id)
}

/** Forget a job that is no longer there. @param {string} id */
export function unlearn(id) {
  known.delete(id)
  tell('gone', id)
}

/** Follow all jobs from now on; the first call reads those that have not ended. */
export async function follow() {
  if (stop) return
  stop = watch('Everything', {}, { next: happened, stale: () => again().catch(complain) })
  await readUnderWay()
}

/** Follow no longer: somebody signs out. */
export function unfollow() {
  stop?.()
  stop = null
  for (const all of [known, heard, told]) all.clear()
}

async function again() {
  stop = null
  await follow()
  tell('change', null)
}

async function readUnderWay() {
  const { jobs: page } = await ask('Jobs', { first: 100, filter: { states: WAITING } })
  for (const { node } of page.edges) learn(node, { silent: true })
}

/** @param {any} event */
function happened(event) {
  if (event.__typename === 'JobDeleted') return unlearn(event.deletedId)
  if (event.__typename === 'SegmentsAppended')
    heard.set(event.job.id, event.segments.map((/** @type {any} */ one) => one.text).join(' '))
  if (event.job) learn(event.job)
}

/** @param {string} type @param {string | null} id */
const tell = (type, id) => jobs.dispatchEvent(new CustomEvent(type, { detail: id }))
