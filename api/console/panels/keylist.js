// All keys, by occasion.
import { h } from '../base/dom.js'
import { dialog } from '../base/popups.js'
import { preferences, prefer } from '../base/preferences.js'
import { check } from '../base/popups.js'
import { t } from '../base/words.js'

/** @type {Record<string, [string, string][]>} */
const KEYS = {
  listening: [
    ['Space', 'play'],
    ['J  L', 'jump'],
    ['[  ]', 'speed'],
    ['G', 'goTo'],
  ],
  reading: [
    ['↑  ↓', 'lines'],
    ['F', 'find'],
    ['D', 'doubts'],
    ['N  P', 'steps'],
    ['H', 'history'],
    ['X', 'export'],
  ],
  correcting: [
    ['Enter', 'correct'],
    ['⇧ Enter', 'split'],
    ['⌫', 'join'],
    ['1 … 8', 'give'],
    ['Ctrl Z', 'undo'],
    ['Esc', 'leave'],
  ],
  writing: [
    ['Alt K', 'play'],
    ['Alt J  Alt L', 'jump'],
  ],
  everywhere: [
    ['/', 'search'],
    ['U', 'choose'],
    ['?', 'list'],
  ],
}

/** Open the list. */
export function keyList() {
  if (document.querySelector('dialog')) return
  const groups = Object.entries(KEYS).map(([name, keys]) =>
    h(
      'section',
      null,
      h('h3', { class: 'over' }, t(`keys.${name}`)),
      h(
        'dl',
        null,
        keys.map(([key, words]) =>
          h(
            'div',
            null,
            h(
              'dt',
              null,
              key.split('  ').map((one) => h('kbd', null, one)),
            ),
            h('dd', null, t(`keys.${words}`)),
          ),
        ),
      ),
    ),
  )
  dialog(t('keys.title'), {
    body: [
      h('div', { class: 'keylist' }, groups),
      check(
        t('settings.letterKeys'),
        preferences.letterKeys,
        (letterKeys) => prefer({ letterKeys }),
        t('settings.letterKeysHint'),
      ),
    ],
  })
}
