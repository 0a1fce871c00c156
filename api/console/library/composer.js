// Where recordings come in: the drop area, the file chooser, the microphone, and the whole page as a target.
import { button, h, icon, say } from '../base/dom.js'
import { toast } from '../base/popups.js'
import { list, size, t } from '../base/words.js'
import { wishes } from './options.js'
import { record } from './record.js'
import { add } from './sending.js'

/** @typedef {import('../net/types.js').Start} Start */

const NEVER = /^(?:text|image|application\/(?:pdf|zip|json|msword|vnd\.|x-tar|gzip))/
let largest = Number.POSITIVE_INFINITY
let allowed = false

/** Build the area that takes recordings. @param {Start} start @param {{big?: boolean}} [how] */
export function composer(start, { big = false } = {}) {
  largest = start.capabilities.maxUploadBytes
  const file = chooser({ accept: 'audio/*,video/*' })
  const folder = chooser({ webkitdirectory: true })
  return h(
    'section',
    { class: `drop ${big ? 'big' : ''}`, 'aria-label': t('library.new') },
    icon('mark', 'horn'),
    h(
      'div',
      { class: 'drop-words' },
      h('p', { class: 'call' }, t('library.drop')),
      h('p', { class: 'soft' }, t(big ? 'library.dropBig' : 'library.dropSmall')),
    ),
    h(
      'div',
      { class: 'drop-acts' },
      button(t('act.choose'), { glyph: 'plus', kind: 'main', onclick: () => file.click(), 'data-key': 'u' }),
      button(t('act.chooseFolder'), { glyph: 'file', kind: 'line', onclick: () => folder.click() }),
      button(t('act.record'), { glyph: 'mic', kind: 'line', onclick: () => record((made) => take([made])) }),
      file,
      folder,
    ),
    wishes(start),
  )
}

/** @param {Record<string, any>} props */
function chooser(props) {
  const input = h('input', { type: 'file', multiple: true, hidden: true, ...props })
  input.addEventListener('change', () => {
    take(input.files)
    input.value = ''
  })
  return input
}

/** Send what can be a recording, and say what cannot. @param {Iterable<File>} files */
function take(files) {
  const fits = [...files].filter((file) => !file.name.startsWith('.'))
  const wrong = fits.filter((file) => NEVER.test(file.type) || file.size === 0)
  const large = fits.filter((file) => file.size > largest)
  const good = fits.filter((file) => !wrong.includes(file) && !large.includes(file))
  if (large.length)
    toast(t('library.tooLarge', { files: list(large.map((file) => file.name)), limit: size(largest) }), null, {
      alarm: true,
    })
  if (wrong.length)
    toast(
      t('library.noRecording', { n: wrong.length, files: list(wrong.slice(0, 3).map((file) => file.name)) }),
      null,
      { alarm: true },
    )
  if (!good.length) return
  add(good)
  say(t('library.sendingFiles', { n: good.length }))
  if (!location.hash.startsWith('#/') || location.hash.startsWith('#/t/')) location.hash = '#/'
}

/** Say whether recordings may be added. @param {boolean} may */
export const allow = (may) => (allowed = may)

/** Let the whole page take what is dropped on it. */
export function dropTarget() {
  const aim = (/** @type {boolean} */ on) => document.querySelector('.drop')?.classList.toggle('aim', on)
  const files = (/** @type {DragEvent} */ event) => allowed && event.dataTransfer?.types.includes('Files')
  addEventListener('dragover', (event) => {
    if (!files(event)) return
    event.preventDefault()
    aim(true)
  })
  addEventListener('dragleave', (event) => !event.relatedTarget && aim(false))
  addEventListener('drop', async (event) => {
    if (!files(event) || !event.dataTransfer) return
    event.preventDefault()
    aim(false)
    const entries = [...event.dataTransfer.items]
      .map((item) => item.webkitGetAsEntry())
      .filter((entry) => entry !== null)
    take(entries.length ? (await Promise.all(entries.map(walk))).flat() : event.dataTransfer.files)
  })
}

/** Return the files in what was dropped, folders walked. @param {FileSystemEntry} entry @returns {Promise<File[]>} */
async function walk(entry) {
  if (entry instanceof FileSystemFileEntry) return [await new Promise((resolve, reject) => entry.file(resolve, reject))]
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader()
  const found = []
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)) // a hundred at a time
    if (!some.length) return found.flat()
    found.push(...(await Promise.all(some.map(walk))))
  }
}
