// The keys of a transcript. Those of one letter act outside fields only, and can be turned off.
import { button, h, say } from '../base/dom.js'
import { held, run, writing } from '../base/keys.js'
import { dialog, field, leave } from '../base/popups.js'
import { preferences } from '../base/preferences.js'
import { clock, seconds, t } from '../base/words.js'
import { spokenLine } from '../reader/text.js'

/** @typedef {import('./transcript.js').View} View */

/** Return what listens to keys. @param {View} view */
export function keys(view) {
  const { player, side } = view
  const step = (/** @type {number} */ by) => (view.review ? view.review.step(by) : view.stepHits?.(by))
  /** @type {Record<string, () => void>} */
  const letters = {
    ' ': () => player.play(),
    k: () => player.play(),
    j: () => player.seek(player.time - 5),
    l: () => player.seek(player.time + 5),
    '[': () => player.faster(-1),
    ']': () => player.faster(1),
    f: () => side.open('find'),
    h: () => side.open('history'),
    d: () => view.reviewing(),
    x: () => view.export(),
    n: () => step(1),
    p: () => step(-1),
    g: () => goTo(view),
    ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((place) => [String(place), () => view.give(place - 1)])),
  }
  /** @type {Record<string, () => void>} */
  const lines = {
    ArrowDown: () => move(view, 1),
    ArrowUp: () => move(view, -1),
    Enter: () => view.may && view.text.here && view.editing.open(view.text.here),
  }
  return (/** @type {KeyboardEvent} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target)
    if (writing(event)) return
    const { key, ctrlKey, metaKey } = event
    if ((ctrlKey || metaKey) && key.toLowerCase() === 'z' && view.may) return run(event, () => view.corrections.undo())
    if (held(event)) return
    const pressed = target.closest('button, a, summary, input') && [' ', 'Enter'].includes(key)
    if (pressed) return
    if (target.closest('.text') && lines[key]) return run(event, lines[key])
    if (preferences.letterKeys && letters[key]) run(event, letters[key])
  }
}

/** Move the reading line. @param {View} view @param {number} by */
function move({ transcript, text, player }, by) {
  const place = text.here ? transcript.placeOf(text.here) + by : 0
  const line = transcript.lines[Math.max(0, Math.min(transcript.lines.length - 1, place))]
  if (!line) return
  player.seek(line.words.start[0] ?? line.start)
  text.stand(line.id)
  text.spans.get(line.id)?.scrollIntoView({ block: 'nearest' })
  say(spokenLine(transcript, line))
}

/** Ask for a time, and go there. @param {View} view */
function goTo({ player, transcript }) {
  const input = h('input', {
    class: 'input num',
    inputmode: 'text',
    placeholder: clock(transcript.duration),
    autocomplete: 'off',
  })
  const go = () => {
    const at = seconds(input.value)
    if (at !== null) player.seek(at)
    box.close()
  }
  const box = dialog(t('keys.goTo'), {
    narrow: true,
    body: field(t('player.time'), input),
    foot: [leave(t('act.cancel')), button(t('act.go'), { kind: 'main', type: 'submit' })],
    submit: go,
  })
}
