// What lets one in: a token, kept for this tab's session only and handed to the other tabs of the same browser.

const KEY = 'graphophone.token'
const channel = new BroadcastChannel('graphophone')

/** The root of this installation, wherever a proxy has put it. */
export const ROOT = new URL('../../', import.meta.url)

/** Events: `ended`, when the server no longer takes what we show. */
export const session = new EventTarget()

/** Return the token, if this tab has one. */
export const token = () => sessionStorage.getItem(KEY)

/** Keep a token for this tab's session. @param {string} secret */
export const keep = (secret) => sessionStorage.setItem(KEY, secret)

/** Forget the token here and in all tabs. */
export function forget() {
  sessionStorage.removeItem(KEY)
  channel.postMessage({ forget: true })
}

/** Tell the page that its sign-in has ended. */
export const ended = () => session.dispatchEvent(new Event('ended'))

/** Take a token out of the address (`#token=…`), which is never sent and does not stay in the history. */
export function fromAddress() {
  const found = /^#token=([^&]+)/.exec(location.hash)
  if (!found) return false
  keep(decodeURIComponent(found[1]))
  history.replaceState(null, '', `${location.pathname}#/`)
  return true
}

/** Ask the other tabs for their token; there is none when nobody answers at once. @returns {Promise<boolean>} */
export function fromOtherTabs() {
  return new Promise((resolve) => {
    const give = (/** @type {MessageEvent} */ { data }) => {
      if (!data.token) return
      keep(data.token)
      done(true)
    }
    const done = (/** @type {boolean} */ found) => {
      channel.removeEventListener('message', give)
      clearTimeout(timer)
      resolve(found)
    }
    const timer = setTimeout(() => done(false), 120)
    channel.addEventListener('message', give)
    channel.postMessage({ ask: true })
  })
}

channel.addEventListener('message', ({ data }) => {
  if (data.ask && token()) channel.postMessage({ token: token() })
  if (data.forget && token()) {
    sessionStorage.removeItem(KEY)
    ended()
  }
})

/** Turn an address that the server signed into one of the origin that this page came from. @param {string} address */
export function here(address) {
  const { pathname, search } = new URL(address, location.href)
  return pathname + search
}
