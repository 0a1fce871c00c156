// The mouse and the finger in the text: a click goes to the word, a double click corrects, a name can be dropped.
import { DRAGGED, speakerMenu } from '../panels/speakers.js'

/** @typedef {import('./transcript.js').View} View */

/** Listen to what is pointed at. @param {View} view @param {AbortSignal} signal */
export function pointing(view, signal) {
  const { article, text } = view
  const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ act) =>
    article.addEventListener(type, act, { signal })
  on('click', (/** @type {MouseEvent} */ event) => clicked(view, event))
  on('dblclick', (/** @type {MouseEvent} */ event) => {
    const at = view.may && text.under(event.clientX, event.clientY)
    if (!at || at[0].id === text.editing) return
    getSelection()?.removeAllRanges()
    view.editing.open(at[0].id, at[1])
  })
  on('dragover', (/** @type {DragEvent} */ event) => {
    if (view.may && event.dataTransfer?.types.includes(DRAGGED)) event.preventDefault()
  })
  on('drop', (/** @type {DragEvent} */ event) => {
    const speaker = event.dataTransfer?.getData(DRAGGED)
    const turn = text.turnOf(event.target)
    if (!speaker || !turn || !view.may) return
    event.preventDefault()
    view.corrections.assign(turn.lines, speaker)
  })
}

/** @param {View} view @param {MouseEvent} event */
function clicked(view, { target, clientX, clientY }) {
  if (!(target instanceof Element)) return
  const name = target.closest('button.name')
  const turn = view.text.turnOf(target)
  if (name instanceof HTMLElement && turn?.speaker) {
    return speakerMenu(name, view.speakerContext(), turn.speaker, turn.lines)
  }
  if (target.closest('[contenteditable], button, .conflict') || getSelection()?.toString()) return
  const at = view.text.under(clientX, clientY)
  if (at) view.seekTo(at[0].id, at[1])
}
