// How the page looks and reads, what is used, and what this server is.
import { button, h, pick } from '../base/dom.js'
import { LANGUAGES, lasted, number, speak, spoken, t } from '../base/words.js'
import { ROOT } from '../net/session.js'
import { preferences, prefer } from '../base/preferences.js'

/** @typedef {import('../net/types.js').Start} Start */

const SECTIONS = ['look', 'listen', 'use', 'about']

/** Show the settings. @param {Start} start @param {string} at */
export function settings(start, at) {
  const nav = h(
    'nav',
    { 'aria-label': t('settings.title') },
    SECTIONS.map((name) =>
      h(
        'a',
        { class: 'btn', href: `#/settings/${name}`, 'aria-current': (at || 'look') === name && 'page' },
        t(`settings.${name}`),
      ),
    ),
  )
  const body = h('div', { class: 'setbody' }, [look(), listening(), use(start), about(start)])
  const main = h(
    'main',
    { id: 'main', tabindex: -1, class: 'page settings' },
    h('h1', { class: 'title' }, t('settings.title')),
    h('div', { class: 'setcols' }, nav, body),
  )
  if (at) requestAnimationFrame(() => document.getElementById(at)?.scrollIntoView())
  return { title: t('settings.title'), main }
}

/** @param {string} name @param {Node[]} lines */
const section = (name, lines) =>
  h('section', { 'aria-labelledby': name }, h('h2', { id: name }, t(`settings.${name}`)), lines)

/** @param {string} label @param {string | null} hint @param {any} control */
const line = (label, hint, control) =>
  h(
    'div',
    { class: 'set' },
    h('div', { class: 'grow' }, h('p', { class: 'label' }, label), hint && h('p', { class: 'hint' }, hint)),
    control,
  )

/**
 * Build a row of buttons of which one is pressed.
 * @param {string} label @param {[any, string][]} options @param {any} value @param {(value: any) => void} change
 */
function choice(label, options, value, change) {
  const press = (/** @type {any} */ chosen) => (/** @type {any} */ event) => {
    for (const other of event.currentTarget.parentElement.children)
      other.setAttribute('aria-pressed', String(other === event.currentTarget))
    change(chosen)
  }
  return h(
    'div',
    { class: 'choice', role: 'group', 'aria-label': label },
    options.map(([key, words]) =>
      button(words, { kind: 'small', 'aria-pressed': String(key === value), onclick: press(key) }),
    ),
  )
}

function look() {
  const languages = /** @type {[string, string][]} */ (Object.entries(LANGUAGES))
  const change = async (/** @type {string} */ code) => {
    sessionStorage.setItem('graphophone.language', code)
    await speak(code)
    dispatchEvent(new HashChangeEvent('hashchange'))
  }
  return section('look', [
    line(
      t('settings.colours'),
      t('settings.coloursHint'),
      choice(
        t('settings.colours'),
        ['system', 'light', 'dark'].map((one) => [one, t(`settings.${one}`)]),
        preferences.theme,
        (theme) => prefer({ theme }),
      ),
    ),
    line(
      t('settings.reading'),
      null,
      choice(
        t('settings.reading'),
        ['usual', 'larger', 'largest'].map((one) => [one, t(`settings.${one}`)]),
        preferences.reading,
        (reading) => prefer({ reading }),
      ),
    ),
    line(
      t('settings.language'),
      t('settings.languageHint'),
      pick(t('settings.language'), languages, { value: spoken(), boxed: true, onchange: change }),
    ),
  ])
}

function listening() {
  const onOff = /** @type {[boolean, string][]} */ ([
    [true, t('settings.on')],
    [false, t('settings.off')],
  ])
  const second = (/** @type {number} */ n) => number(n, { style: 'unit', unit: 'second', unitDisplay: 'short' })
  return section('listen', [
    line(
      t('settings.stepBack'),
      t('settings.stepBackHint'),
      choice(
        t('settings.stepBack'),
        [
          [0, t('settings.off')],
          [1, second(1)],
          [2, second(2)],
        ],
        preferences.stepBack,
        (stepBack) => prefer({ stepBack }),
      ),
    ),
    line(
      t('settings.pauseWhileWriting'),
      null,
      choice(t('settings.pauseWhileWriting'), onOff, preferences.pauseWhileWriting, (pauseWhileWriting) =>
        prefer({ pauseWhileWriting }),
      ),
    ),
    line(
      t('settings.letterKeys'),
      t('settings.letterKeysHint'),
      choice(t('settings.letterKeys'), onOff, preferences.letterKeys, (letterKeys) => prefer({ letterKeys })),
    ),
  ])
}

/** @param {Start} start */
function use({ viewer: { usage } }) {
  const {
    audioSecondsThisMonth: used,
    maxAudioSecondsPerMonth: most,
    runningJobs,
    maxConcurrentJobs,
    queuedJobs,
    maxQueuedJobs,
  } = /** @type {Record<string, number>} */ (usage)
  const month = most == null ? lasted(used) : t('settings.usedOf', { used: lasted(used), most: lasted(most) })
  return section('use', [
    line(t('settings.month'), t('settings.monthHint'), h('b', { class: 'num' }, month)),
    line(
      t('settings.atOnce'),
      t('settings.atOnceHint'),
      h(
        'b',
        { class: 'num' },
        t('settings.atOnceWords', {
          running: runningJobs,
          most: maxConcurrentJobs,
          waiting: queuedJobs,
          limit: maxQueuedJobs,
        }),
      ),
    ),
  ])
}

/** @param {Start} start */
function about({ capabilities: { version, models, diarization, alignmentLanguages } }) {
  const facts = [
    t('settings.models', { names: models.map((model) => model.name).join(', ') || '–' }),
    diarization.available ? t('settings.apart') : (diarization.reason ?? t('settings.notApart')),
    t('settings.timed', { n: alignmentLanguages.length }),
  ]
  return section('about', [
    line(
      `Graphophone ${version}`,
      facts.join(' '),
      h('a', { href: new URL('graphql', ROOT).href }, t('bar.playground')),
    ),
  ])
}
