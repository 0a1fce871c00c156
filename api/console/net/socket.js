// Subscriptions over graphql-transport-ws: one socket a tab, opened again after a loss, each stream resumed at its
// cursor.
import { documentOf } from './documents.js'
import { refusalOf } from './graph.js'
import { ROOT, ended, token } from './session.js'

const ENDPOINT = Object.assign(new URL('graphql', ROOT), { protocol: location.protocol === 'https:' ? 'wss:' : 'ws:' })
const SHORTEST = 1
const LONGEST = 30
const PING_EVERY = 20_000
const PONG_WITHIN = 10_000
const AFTER_REFUSAL = 3000

/**
 * @typedef {object} Stream
 * @property {string} name
 * @property {Record<string, any>} variables
 * @property {string | null} after
 * @property {(event: any) => void} next
 * @property {() => void} stale  the cursor is no longer kept, or the stream has ended of itself: read the view again
 */

/** Events: `state`, when the connection is lost or there again. */
export const connection = Object.assign(new EventTarget(), { lost: false, retryAt: 0 })

/** @type {Map<string, Stream>} */
const streams = new Map()
/** @type {WebSocket | null} */
let socket = null
let ready = false
let failures = 0
let numbered = 0
/** @type {any} */
let retry
/** @type {any} */
let pinging
/** @type {any} */
let ponging

/**
 * Watch. Returns a function that ends it.
 * @param {string} name @param {Record<string, any>} variables
 * @param {{next: (event: any) => void, stale: () => void, after?: string | null}} on
 */
export function watch(name, variables, { next, stale, after = null }) {
  const id = String(++numbered)
  streams.set(id, { name, variables, next, stale, after })
  if (ready) begin(id)
  else open()
  return () => {
    streams.delete(id)
    if (ready) send({ id, type: 'complete' })
  }
}

/** Try again at once, instead of when the pause is over. */
export function hasten() {
  if (ready || !streams.size) return
  clearTimeout(retry)
  socket?.close()
  socket = null
  open()
}

/** Close the socket: somebody signs out. */
export function hangUp() {
  streams.clear()
  socket?.close(1000)
}

function open() {
  if (socket) return
  const opened = new WebSocket(ENDPOINT, 'graphql-transport-ws')
  socket = opened
  opened.onopen = () => {
    const secret = token()
    send({ type: 'connection_init', payload: secret ? { Authorization: `Bearer ${secret}` } : {} })
  }
  opened.onmessage = ({ data }) => socket === opened && heard(JSON.parse(data))
  opened.onclose = ({ code }) => socket === opened && closed(code)
}

/** @param {{type: string, id: string, payload: any}} message */
function heard({ type, id, payload }) {
  if (type === 'connection_ack') {
    ready = true
    failures = 0
    tell(false)
    pinging = setInterval(ping, PING_EVERY)
    for (const key of streams.keys()) begin(key)
  } else if (type === 'ping') send({ type: 'pong' })
  else if (type === 'pong') clearTimeout(ponging)
  else if (type === 'next') arrived(id, payload)
  else if (type === 'error') refused(id, payload[0])
  else if (type === 'complete') refused(id, null)
}

/** @param {string} id @param {any} payload */
function arrived(id, { data, errors }) {
  const stream = streams.get(id)
  if (!stream) return
  if (errors?.length) return refused(id, errors[0])
  const [event] = Object.values(data)
  stream.after = event.cursor
  stream.next(event)
}

/**
 * A stream has ended: at its end, by the server's wish, or since its cursor has expired.
 * @param {string} id
 * @param {any} error
 */
function refused(id, error) {
  const stream = streams.get(id)
  streams.delete(id)
  if (!stream) return
  if (error && refusalOf(error).code === 'UNAUTHENTICATED') return ended()
  setTimeout(() => stream.stale(), error ? AFTER_REFUSAL : 0)
}

/** @param {number} code */
function closed(code) {
  socket = null
  ready = false
  clearInterval(pinging)
  clearTimeout(ponging)
  if (code === 4401 || code === 4403) return ended()
  if (!streams.size) return
  const wait = Math.min(LONGEST, SHORTEST * 2 ** failures++) * (0.5 + Math.random() / 2)
  connection.retryAt = Date.now() + wait * 1000
  if (failures > 1) tell(true)
  retry = setTimeout(open, wait * 1000)
}

/** @param {string} id */
function begin(id) {
  const { name, variables, after } = /** @type {Stream} */ (streams.get(id))
  send({
    id,
    type: 'subscribe',
    payload: { query: documentOf(name), operationName: name, variables: { ...variables, after } },
  })
}

function ping() {
  send({ type: 'ping' })
  ponging = setTimeout(() => {
    const dead = socket
    dead?.close()
    closed(1006)
  }, PONG_WITHIN)
}

/** @param {object} message */
function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
}

/** @param {boolean} lost */
function tell(lost) {
  connection.lost = lost
  connection.dispatchEvent(new Event('state'))
}

addEventListener('online', hasten)
document.addEventListener('visibilitychange', () => !document.hidden && hasten())
