// Draws a recording: bars two pixels wide, inked up to a part; one function for the list and for the player.

/**
 * @typedef {{key: string, made: OffscreenCanvas[], width: number, height: number, scale: number, head: string}}
 * Pictures
 */
/**
 * @typedef {(context: OffscreenCanvasRenderingContext2D, style: CSSStyleDeclaration, width: number, height:
 * number) => void} Under
 */

const [STEP, WIDE] = [3, 2]

/** @type {WeakMap<HTMLCanvasElement, Pictures>} */
const cache = new WeakMap()

/**
 * Draw a waveform.
 * @param {HTMLCanvasElement} canvas @param {readonly number[]} peaks @param {number} part 0..1
 * @param {{strip?: number, under?: Under, needle?: boolean, version?: unknown}} [options] `under` draws in the
 *   strip below; `version` tells when it would draw something else
 */
export function draw(canvas, peaks, part, { strip = 0, under, needle = false, version = '' } = {}) {
  const context = canvas.getContext('2d')
  if (!canvas.clientWidth || !context) return
  const { made, width, height, scale, head } = pictures(canvas, peaks, strip, under, version)
  const [edge, tall, wide] = [Math.round(part * width) * scale, height * scale, width * scale]
  context.clearRect(0, 0, wide, tall)
  if (edge > 0) context.drawImage(made[0], 0, 0, edge, tall, 0, 0, edge, tall)
  if (edge < wide) context.drawImage(made[1], edge, 0, wide - edge, tall, edge, 0, wide - edge, tall)
  if (!needle) return
  context.fillStyle = head
  context.fillRect(Math.max(0, edge - scale), 0, 2 * scale, tall)
}

/**
 * Return two pictures of the whole, one inked and one not; made once for a size and a colour scheme.
 * @param {HTMLCanvasElement} canvas
 * @param {readonly number[]} peaks
 * @param {number} strip
 * @param {Under | undefined} under
 * @param {unknown} version
 * @returns {Pictures}
 */
function pictures(canvas, peaks, strip, under, version) {
  const [width, height, scale] = [canvas.clientWidth, canvas.clientHeight, Math.min(2, devicePixelRatio || 1)]
  const style = getComputedStyle(canvas)
  const inks = ['--accent', '--unheard'].map((name) => style.getPropertyValue(name))
  const key = [width, height, scale, ...inks, peaks.length, version].join()
  const cached = cache.get(canvas)
  if (cached?.key === key) return cached
  canvas.width = width * scale
  canvas.height = height * scale
  const made = inks.map((ink) => {
    const sheet = new OffscreenCanvas(width * scale, height * scale)
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (sheet.getContext('2d'))
    context.scale(scale, scale)
    context.fillStyle = ink
    bars(context, peaks, width, height - strip)
    under?.(context, style, width, height)
    return sheet
  })
  const fresh = { key, made, width, height, scale, head: style.getPropertyValue('--ink') }
  cache.set(canvas, fresh)
  return fresh
}

/**
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {readonly number[]} peaks
 * @param {number} width
 * @param {number} height
 */
function bars(context, peaks, width, height) {
  const count = Math.floor(width / STEP)
  const loudest = peaks.reduce((most, peak) => Math.max(most, peak), 0.05)
  context.beginPath()
  for (let index = 0; index < count; index++) {
    const from = Math.floor((index / count) * peaks.length)
    const to = Math.max(from + 1, Math.floor(((index + 1) / count) * peaks.length))
    let peak = 0
    for (let at = from; at < to; at++) peak = Math.max(peak, peaks[at] ?? 0)
    const tall = Math.max(2, (peak / loudest) * height * 0.95)
    context.roundRect(index * STEP, (height - tall) / 2, WIDE, tall, 1)
  }
  context.fill()
}

/**
 * Paint a canvas again when its size or the colours change.
 * @param {HTMLCanvasElement} canvas
 * @param {() => void} paint
 */
export function waveform(canvas, paint) {
  new ResizeObserver(paint).observe(canvas)
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const recolour = () => (canvas.isConnected ? paint() : forget())
  const theme = new MutationObserver(recolour)
  const forget = () => {
    dark.removeEventListener('change', recolour)
    theme.disconnect()
  }
  dark.addEventListener('change', recolour)
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
}
