// Shows the view that the address names.
import { h, say } from './base/dom.js'
import { dropTarget } from './library/composer.js'
import { library } from './library/library.js'
import { found } from './library/search.js'
import { load } from './net/documents.js'
import { Unreachable, ask } from './net/graph.js'
import { fromAddress, fromOtherTabs, session, token } from './net/session.js'
import { connection } from './net/socket.js'
import { bar } from './account/bar.js'
import { fault, offline } from './account/faults.js'
import { listen } from './base/keys.js'
import { prefer } from './base/preferences.js'
import { signIn, signInAgain } from './account/signin.js'
import { preferred, speak, t } from './base/words.js'

/** @typedef {import('./net/types.js').Start} Start */
/** @typedef {{title: string, main: HTMLElement, inside?: boolean, after?: HTMLElement[], close?: () => void}} View */

const app = /** @type {HTMLElement} */ (document.getElementById('app'))
/** @type {View | null} */
let view = null
/** @type {Start | null} */
let start = null
let turn = 0

/**
 * Name the view of an address.
 * @param {string} name
 * @param {string} arg
 * @param {URLSearchParams} query
 * @param {Start} known
 * @returns {Promise<View> | View}
 */
function made(name, arg, query, known) {
  if (name === 't') return import('./editor/transcript.js').then((module) => module.transcript(arg, query, known))
  if (name === 'settings') return import('./account/settings.js').then((module) => module.settings(known, arg))
  if (name === 'search') return found(query.get('q') ?? '')
  return library(known)
}

async function show() {
  const mine = ++turn
  const [path, search = ''] = location.hash.slice(1).split('?')
  const [, name = '', arg = ''] = path.split('/')
  if (!token() && !(await fromOtherTabs())) return put(signIn(enter))
  try {
    start ??= await ask('Start')
    const next = await made(name, arg, new URLSearchParams(search), /** @type {Start} */ (start))
    if (mine === turn) put(next)
    else next.close?.()
  } catch (error) {
    if (mine === turn && token()) put(fault(error, show))
    else if (mine === turn) put(signIn(enter))
  }
}

/** @param {View} next */
function put(next) {
  view?.close?.()
  for (const left of document.querySelectorAll('dialog, .menu, .toast')) left.remove()
  view = next
  document.title = next.title === 'Graphophone' ? next.title : `${next.title} · Graphophone`
  app.replaceChildren(...(start && token() ? [bar(start, next.inside)] : []), next.main, ...(next.after ?? []))
  scrollTo(0, 0)
  if (turn > 1) {
    next.main.focus({ preventScroll: true })
    say(next.title)
  }
}

function enter() {
  start = null
  show()
}

async function begin() {
  prefer()
  fromAddress()
  await Promise.all([load(), speak(preferred())])
  const skip = document.querySelector('.skip')
  if (skip) skip.textContent = t('bar.skip')
  session.addEventListener('ended', () => (view && start ? signInAgain(enter) : show()))
  connection.addEventListener('state', () => offline(app))
  addEventListener('hashchange', show)
  skip?.addEventListener('click', (event) => {
    event.preventDefault()
    document.getElementById('main')?.focus()
  })
  dropTarget()
  listen()
  await show()
}

begin().catch((error) =>
  app.append(
    h(
      'p',
      { class: 'noscript', role: 'alert' },
      error instanceof Unreachable ? 'The server cannot be reached.' : String(error),
    ),
  ),
)
