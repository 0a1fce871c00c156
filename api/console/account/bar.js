// The bar at the top: home, search, settings, and the way out.
import { button, h, icon } from '../base/dom.js'
import { entry, popup } from '../base/popups.js'
import { t } from '../base/words.js'
import { unfollow } from '../library/jobs.js'
import { ROOT, ended, forget } from '../net/session.js'
import { hangUp } from '../net/socket.js'
import { initials } from '../transcript/names.js'

/** @typedef {import('../net/types.js').Start} Start */

/** Build the bar. @param {Start} start @param {boolean} [inside] a transcript: with the way back */
export function bar({ viewer }, inside = false) {
  const name = viewer.user.name ?? t('bar.account')
  const input = h('input', {
    type: 'search',
    name: 'q',
    placeholder: t('bar.search'),
    'aria-label': t('bar.search'),
    'data-key': '/',
    dir: 'auto',
  })
  input.value = new URLSearchParams(location.hash.split('?')[1]).get('q') ?? ''
  const search = (/** @type {Event} */ event) => {
    event.preventDefault()
    if (input.value.trim()) location.hash = `#/search?q=${encodeURIComponent(input.value.trim())}`
  }
  const account = (/** @type {any} */ event) =>
    popup(
      event.currentTarget,
      [
        h('p', { class: 'over' }, name),
        entry(t('bar.settings'), () => (location.hash = '#/settings'), { glyph: 'settings' }),
        entry(t('bar.playground'), () => open(new URL('graphql', ROOT)), { glyph: 'file' }),
        h('hr'),
        entry(t('bar.signOut'), signOut, { glyph: 'back' }),
      ],
      t('bar.accountOf', { name }),
    )
  const label = `${initials({ label: '', name })} ${t('bar.accountOf', { name })}`
  return h(
    'header',
    { class: `bar ${inside ? 'ruled' : ''}` },
    inside && h('a', { class: 'btn bare', href: '#/', 'aria-label': t('bar.back') }, back()),
    h(
      'a',
      { class: `brand ${inside ? 'inside' : ''}`, href: '#/', 'aria-label': 'Graphophone' },
      icon('mark'),
      h('span', null, 'Graphophone'),
    ),
    h('form', { class: 'find', role: 'search', onsubmit: search }, icon('search'), input),
    !inside &&
      button(t('bar.settings'), { glyph: 'settings', bare: true, onclick: () => (location.hash = '#/settings') }),
    h(
      'button',
      {
        type: 'button',
        class: 'avatar',
        'aria-label': label,
        'aria-haspopup': 'dialog',
        'aria-expanded': 'false',
        onclick: account,
      },
      initials({ label: '', name }),
    ),
  )
}

const back = () => icon('back', 'icon mirror')

function signOut() {
  hangUp()
  unfollow()
  forget()
  history.replaceState(null, '', `${location.pathname}#/`)
  ended()
}
