// Sends a file: announced to the graph, its bytes to the address that comes back, with progress.
import { Refusal, Unreachable, act } from './graph.js'
import { here } from './session.js'

/**
 * Send a file, and return the id of the recording that it has become.
 * @param {File} file @param {(sent: number) => void} progress @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
export async function send(file, progress, signal) {
  const { upload } = await act('Announce', { input: { filename: file.name, byteSize: file.size } })
  signal.throwIfAborted()
  return put(here(upload.url), file, progress, signal)
}

/**
 * @param {string} address
 * @param {File} file
 * @param {(sent: number) => void} progress
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
function put(address, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest() // fetch does not tell how much it has sent
    request.open('PUT', address)
    request.responseType = 'json'
    request.upload.onprogress = ({ loaded }) => progress(loaded)
    request.onload = () => {
      const answer = request.response ?? {}
      if (request.status < 300) resolve(answer.mediaId)
      else reject(new Refusal({ code: 'INTERNAL', message: request.statusText, ...answer }))
    }
    request.onerror = () => reject(new Unreachable())
    request.onabort = () => reject(signal.reason)
    signal.addEventListener('abort', () => request.abort())
    request.send(file)
  })
}
