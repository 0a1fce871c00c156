// The words of a line: when each is spoken, and where it stands in the line's text.

/**
 * Columns of one length.
 * @typedef {object} Words
 * @property {string[]} text
 * @property {number[]} start
 * @property {number[]} end
 * @property {(number | null)[]} confidence
 * @property {boolean[]} reviewed
 * @property {Int32Array} at where each begins in the line's text
 */

/**
 * Make columns of words; times that are not known take those of their neighbours.
 * @param {string} line @param {number} from @param {number} to
 * @param {string[]} text @param {(number | null)[]} start @param {(number | null)[]} end
 * @param {(number | null)[]} confidence @param {(boolean | undefined)[]} [reviewed]
 * @returns {Words}
 */
export function spoken(line, from, to, text, start, end, confidence, reviewed = []) {
  const starts = new Array(text.length)
  const ends = new Array(text.length)
  let before = from
  for (let index = 0; index < text.length; index++) {
    starts[index] = start[index] ?? before
    ends[index] = end[index] ?? start[index + 1] ?? (index + 1 < text.length ? starts[index] : to)
    before = ends[index]
  }
  return {
    text,
    start: starts,
    end: ends,
    confidence,
    reviewed: text.map((_, index) => reviewed[index] ?? false),
    at: places(line, text),
  }
}

/**
 * Find each word in a text, by reading on: scripts without spaces and words without their punctuation too.
 * @param {string} line
 * @param {string[]} text
 */
function places(line, text) {
  const at = new Int32Array(text.length)
  let from = 0
  for (let index = 0; index < text.length; index++) {
    const found = line.indexOf(text[index], from)
    at[index] = found < 0 ? Math.min(from, line.length) : found
    if (found >= 0) from = found + text[index].length
  }
  return at
}

/**
 * Guess when the words of a new text are spoken, until the server says so: words that stay keep their times.
 * @param {Words} words
 * @param {string} text
 * @returns {Words}
 */
export function guess(words, text) {
  const fresh = text.split(/\s+/).filter(Boolean)
  let head = 0
  while (head < fresh.length && head < words.text.length && fresh[head] === words.text[head]) head++
  let tail = 0
  const most = Math.min(fresh.length, words.text.length) - head
  while (tail < most && fresh[fresh.length - 1 - tail] === words.text[words.text.length - 1 - tail]) tail++
  const [middle, last] = [fresh.length - head - tail, words.text.length - tail]
  const from = words.end[head - 1] ?? words.start[0] ?? 0
  const to = words.start[last] ?? words.end.at(-1) ?? from
  const step = (to - from) / Math.max(1, middle)
  const put = (/** @type {(index: number) => any} */ made) => Array.from({ length: middle }, (_, index) => made(index))
  const weave = (/** @type {any[]} */ column, /** @type {any[]} */ between) => [
    ...column.slice(0, head),
    ...between,
    ...column.slice(last),
  ]
  return {
    text: fresh,
    start: weave(
      words.start,
      put((index) => from + index * step),
    ),
    end: weave(
      words.end,
      put((index) => from + (index + 1) * step),
    ),
    confidence: weave(
      words.confidence,
      put(() => null),
    ),
    reviewed: weave(
      words.reviewed,
      put(() => true),
    ),
    at: places(text, fresh),
  }
}

/** Return the word that is spoken at a time, the one before in a pause. @param {Words} words @param {number} seconds */
export function wordAt({ start }, seconds) {
  let [from, to] = [0, start.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (start[middle] <= seconds) from = middle + 1
    else to = middle
  }
  return Math.max(0, from - 1)
}
