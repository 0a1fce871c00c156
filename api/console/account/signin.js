// Signing in: with the token that the server printed.
import { button, h, icon } from '../base/dom.js'
import { dialog } from '../base/popups.js'
import { t } from '../base/words.js'
import { takes } from '../net/graph.js'
import { reason } from '../net/reasons.js'
import { keep } from '../net/session.js'

/** Show the page that signs in. @param {() => void} done */
export function signIn(done) {
  const { fields, send } = tokenField(done)
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault()
    send()
  }
  const card = h(
    'div',
    { class: 'sign-card' },
    icon('mark', 'horn'),
    h('h1', { class: 'title' }, 'Graphophone'),
    h('p', { class: 'soft' }, t('signIn.about')),
    h('form', { class: 'sign-form', onsubmit: submit }, fields),
    h('p', { class: 'hint' }, t('signIn.untilClosed')),
  )
  return { title: t('signIn.title'), main: h('main', { id: 'main', tabindex: -1, class: 'signin' }, card) }
}

/** Ask for a sign-in over the view that is open, which stays as it is. @param {() => void} done */
export function signInAgain(done) {
  if (document.querySelector('dialog .sign-form')) return
  const { fields, send } = tokenField(() => {
    box.close()
    done()
  })
  const body = [h('p', null, t('signIn.ended')), h('div', { class: 'sign-form' }, fields)]
  const box = dialog(t('signIn.endedTitle'), { narrow: true, body, submit: send })
}

/** Build the field for a token, its button, and what tries it. @param {() => void} done */
function tokenField(done) {
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
  // password managers keep a token under a name, and browsers complain without one
  const name = h('input', { type: 'text', autocomplete: 'username', value: 'graphophone', hidden: true })
  const submit = button(t('signIn.act'), { kind: 'main', type: 'submit' })
  const wrong = (/** @type {string} */ words) => {
    input.classList.add('wrong')
    input.setAttribute('aria-invalid', 'true')
    help.className = 'wrongly'
    help.setAttribute('role', 'alert')
    help.replaceChildren(icon('warn'), words)
    input.focus()
  }
  const send = async () => {
    submit.disabled = true
    const secret = input.value.trim()
    try {
      if (await takes(secret)) {
        keep(secret)
        done()
      } else wrong(t('signIn.wrong'))
    } catch (error) {
      wrong(reason(error))
    }
    submit.disabled = false
  }
  return {
    fields: [h('div', { class: 'field' }, h('label', { for: 'token' }, t('signIn.token')), name, input, help), submit],
    send,
  }
}
