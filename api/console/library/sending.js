// Files on their way to the server: three at a time, the rest wait; what a lost connection breaks off begins again.
import { Refusal, Unreachable, act, pause } from '../net/graph.js'
import { send } from '../net/upload.js'
import { asked } from './options.js'
import { learn } from './jobs.js'

const AT_ONCE = 3
const SPEED_OVER = 3000

/**
 * @typedef {object} Sending
 * @property {string} id
 * @property {File} file
 * @property {'waiting' | 'sending' | 'checking' | 'offline' | 'full' | 'failed'} state
 * @property {number} sent bytes
 * @property {number} speed bytes a second
 * @property {Refusal | null} refusal
 * @property {AbortController} stop
 * @property {Record<string, any>} options
 * @property {string | null} mediaId
 */

/** Events: `change`, when a file has got on. */
export const sendings = new EventTarget()

/** @type {Sending[]} */
const all = []

/** Return the files on their way, in their order. @returns {readonly Sending[]} */
export const onTheirWay = () => all

/** Send files with the options that are shown now. @param {Iterable<File>} files */
export function add(files) {
  for (const file of files) {
    const id = crypto.randomUUID()
    all.push({
      id,
      file,
      state: 'waiting',
      sent: 0,
      speed: 0,
      refusal: null,
      stop: new AbortController(),
      options: asked(),
      mediaId: null,
    })
  }
  next()
}

/** Leave a file out. @param {Sending} one */
export function drop(one) {
  one.stop.abort()
  all.splice(all.indexOf(one), 1)
  next()
}

/** Try a refused file again. @param {Sending} one */
export function again(one) {
  Object.assign(one, { state: 'waiting', refusal: null, stop: new AbortController() })
  next()
}

function next() {
  const running = all.filter((one) => ['sending', 'checking', 'offline', 'full'].includes(one.state)).length
  for (const one of all.filter(({ state }) => state === 'waiting').slice(0, Math.max(0, AT_ONCE - running))) go(one)
  tell()
}

/** @param {Sending} one */
async function go(one) {
  try {
    one.mediaId ??= await sent(one)
    change(one, 'checking')
    learn(await begun(one))
    all.splice(all.indexOf(one), 1)
  } catch (error) {
    if (one.stop.signal.aborted) return
    one.refusal = error instanceof Refusal ? error : new Refusal({ code: 'INTERNAL', message: String(error) })
    change(one, 'failed')
  }
  next()
}

/** @param {Sending} one @returns {Promise<string>} */
async function sent(one) {
  for (let tries = 0; ; tries++) {
    change(one, 'sending')
    try {
      return await send(one.file, meter(one), one.stop.signal)
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error
      change(one, 'offline')
      await pause(Math.min(30, 2 ** tries))
      one.stop.signal.throwIfAborted()
    }
  }
}

/** @param {Sending} one */
async function begun(one) {
  for (;;) {
    try {
      const input = { ...one.options, source: { mediaId: one.mediaId }, idempotencyKey: one.id }
      return (await act('Begin', { input })).job
    } catch (error) {
      const full = error instanceof Refusal && error.code === 'QUEUE_FULL'
      if (!full && !(error instanceof Unreachable)) throw error
      change(one, full ? 'full' : 'offline')
      await pause(full ? error.facts.retryAfterSeconds : 3)
      one.stop.signal.throwIfAborted()
    }
  }
}

/** Measure how fast a file is sent, over the last seconds. @param {Sending} one */
function meter(one) {
  /** @type {[number, number][]} */
  const marks = []
  return (/** @type {number} */ bytes) => {
    const now = performance.now()
    marks.push([now, bytes])
    while (marks.length > 2 && now - marks[0][0] > SPEED_OVER) marks.shift()
    one.sent = bytes
    one.speed = ((bytes - marks[0][1]) / Math.max(1, now - marks[0][0])) * 1000
    if (bytes >= one.file.size) one.state = 'checking'
    tell()
  }
}

/** @param {Sending} one @param {Sending['state']} state */
function change(one, state) {
  one.state = state
  tell()
}

const tell = () => sendings.dispatchEvent(new Event('change'))

addEventListener('beforeunload', (event) => {
  if (all.some((one) => one.state !== 'failed')) event.preventDefault()
})
