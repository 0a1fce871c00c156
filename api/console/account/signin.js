// Signing in: with the token that the server printed, or by way of a provider.
import { button, h, icon } from '../base/dom.js'
import { dialog } from '../base/popups.js'
import { t } from '../base/words.js'
import { takes } from '../net/graph.js'
import { reason } from '../net/reasons.js'
import { keep } from '../net/session.js'

/** Show the page that signs in. @param {() => void} done */
export function signIn(done) {
  const card = h(
    'div',
    { class: 'sign-card' },
    icon('mark', 'horn'),
    h('h1', { class: 'title' }, 'Graphophone'),
    h('p', { class: 'soft' }, t('signIn.about')),
    form(done),
    h('p', { class: 'hint' }, t('signIn.untilClosed')),
  )
  return { title: t('signIn.title'), main: h('main', { id: 'main', tabindex: -1, class: 'signin' }, card) }
}

/** Ask for a sign-in over the view that is open, which stays as it is. @param {() => void} done */
export function signInAgain(done) {
  if (document.querySelector('dialog .sign-card')) return
  const finish = () => {
    box.close()
    done()
  }
  const box = dialog(t('signIn.endedTitle'), {
    narrow: true,
    body: h('div', { class: 'sign-card' }, h('p', null, t('signIn.ended')), form(finish)),
  })
}

/** @param {() => void} done */
function form(done) {
  const help = h('p', { class: 'hint', id: 'token-help' }, t('signIn.help'))
  const input = h('input', {
    class: 'input num',
    id: 'token',
    type: 'password',
    autocomplete: 'current-password',
    required: true,
    'aria-describedby': 'token-help',
    autofocus: true,
  })
  const submit = button(t('signIn.act'), { kind: 'main', type: 'submit' })
  const wrong = (/** @type {string} */ words) => {
    input.classList.add('wrong')
    input.setAttribute('aria-invalid', 'true')
    help.className = 'wrongly'
    help.setAttribute('role', 'alert')
    help.replaceChildren(icon('warn'), words)
    input.focus()
  }
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault()
    event.stopPropagation()
    submit.disabled = true
    try {
      if (!(await takes(input.value.trim()))) wrong(t('signIn.wrong'))
      else {
        keep(input.value.trim())
        done()
      }
    } catch (error) {
      wrong(reason(error))
    }
    submit.disabled = false
  }
  const fields = h('div', { class: 'field' }, h('label', { for: 'token' }, t('signIn.token')), input, help)
  const box = h('div', { class: 'sign-form' }, fields, submit)
  submit.addEventListener('click', send)
  input.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && send(event))
  return box
}
