// Sends a file: announced to the graph, its bytes by tus to the address that comes back, with progress. What a lost
// connection breaks off goes on where it broke, also when the file is sent again later.
import { Refusal, Unreachable, act } from './graph.js'
import { here } from './session.js'

const TUS = { 'Tus-Resumable': '1.0.0' }
const GONE = [404, 410]

/** Where the bytes of each file go that is on its way. @type {WeakMap<File, string>} */
const addresses = new WeakMap()

/**
 * Send a file, and return the id of the recording that it has become.
 * @param {File} file @param {(sent: number) => void} progress @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
export async function send(file, progress, signal) {
  for (;;) {
    const known = addresses.get(file)
    const address = known ?? (await announce(file))
    signal.throwIfAborted()
    const found = known ? await request('HEAD', address, { signal }) : { status: 200, offset: 0, mediaId: null }
    if (found.mediaId) return found.mediaId
    if (GONE.includes(found.status)) {
      addresses.delete(file)
      continue
    }
    if (found.status >= 300) throw refusal(file, found)
    const sent = await request('PATCH', address, { signal, file, progress, offset: found.offset })
    if (sent.mediaId) return sent.mediaId
    if (sent.status >= 300 && sent.status !== 409) throw refusal(file, sent)
  }
}

/** @param {File} file @returns {Promise<string>} */
async function announce(file) {
  const { upload } = await act('Announce', { input: { filename: file.name, byteSize: file.size } })
  const address = here(upload.url)
  addresses.set(file, address)
  return address
}

/** @param {File} file @param {Answer} answer */
function refusal(file, answer) {
  if (answer.status < 500) addresses.delete(file) // the next try begins anew
  return new Refusal({ code: 'INTERNAL', message: String(answer.status), ...answer.body })
}

/** @typedef {{status: number, offset: number, mediaId: string | null, body?: Record<string, any>}} Answer */

/**
 * @param {string} method @param {string} address
 * @param {{signal: AbortSignal, file?: File, offset?: number, progress?: (sent: number) => void}} what
 * @returns {Promise<Answer>}
 */
function request(method, address, { signal, file, offset = 0, progress }) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest() // fetch does not tell how much it has sent
    sending.open(method, address)
    sending.responseType = 'json'
    for (const [name, value] of Object.entries(TUS)) sending.setRequestHeader(name, value)
    if (file) {
      sending.setRequestHeader('Content-Type', 'application/offset+octet-stream')
      sending.setRequestHeader('Upload-Offset', String(offset))
      sending.upload.onprogress = ({ loaded }) => progress?.(offset + loaded)
    }
    sending.onload = () =>
      resolve({
        status: sending.status,
        offset: Number(sending.getResponseHeader('Upload-Offset')),
        mediaId: sending.getResponseHeader('Media-Id'),
        body: sending.response ?? {},
      })
    sending.onerror = () => reject(new Unreachable())
    sending.onabort = () => reject(signal.reason)
    signal.addEventListener('abort', () => sending.abort())
    sending.send(file?.slice(offset))
  })
}
