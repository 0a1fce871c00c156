// What is shown instead of a view that could not be made, and while the server cannot be reached.
import { button, h, icon, notice } from '../base/dom.js'
import { t } from '../base/words.js'
import { reason } from '../net/reasons.js'
import { connection, hasten } from '../net/socket.js'

/** Show what failed, and try again on demand. @param {unknown} error @param {() => void} again */
export function fault(error, again) {
  const note = notice(
    'bad',
    'warn',
    [h('b', null, t('fault.title')), ` ${reason(error)}`],
    [button(t('act.tryAgain'), { kind: 'line small', onclick: again })],
  )
  return {
    title: t('fault.title'),
    main: h('main', { id: 'main', tabindex: -1, class: 'page lib' }, h('h1', { class: 'sr' }, t('fault.title')), note),
  }
}

/** @type {any} */
let counting

/** Show a strip on top while the connection is lost; the view below stays usable. @param {HTMLElement} app */
export function offline(app) {
  document.querySelector('.strip')?.remove()
  clearInterval(counting)
  if (!connection.lost) return
  const words = h('span')
  const tell = () => {
    const left = Math.max(0, Math.ceil((connection.retryAt - Date.now()) / 1000))
    words.textContent = left ? t('offline.waiting', { n: left }) : t('offline.trying')
  }
  tell()
  counting = setInterval(tell, 1000)
  const strip = h(
    'div',
    { class: 'strip', role: 'region', 'aria-label': t('offline.label') },
    icon('warn'),
    words,
    button(t('offline.now'), { kind: 'small', onclick: hasten }),
  )
  app.before(strip)
}
