// Differences of two texts, word by word; and the merge of two corrections of one text.

/** @typedef {['same' | 'del' | 'ins', string][]} Difference */
/** @typedef {{from: number, to: number, tokens: string[]}} Hunk  tokens that take the place of from…to of the base */

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })

/** Cut a text into words and what stands between them; scripts without spaces too. @param {string} text */
const tokens = (text) => [...segmenter.segment(text)].map(({ segment }) => segment)

/** Return the differences of two texts. @param {string} before @param {string} after @returns {Difference} */
export function difference(before, after) {
  const [a, b] = [tokens(before), tokens(after)]
  /** @type {Difference} */
  const found = []
  let at = 0
  for (const { from, to, tokens: put } of hunks(a, b)) {
    found.push(['same', a.slice(at, from).join('')], ['del', a.slice(from, to).join('')], ['ins', put.join('')])
    at = to
  }
  found.push(['same', a.slice(at).join('')])
  return found.filter(([, text]) => text)
}

/**
 * Merge two corrections of one text. `clean`: they touch different words, so nothing has to be decided; otherwise
 * `text` holds both where they meet.
 * @param {string} base @param {string} mine @param {string} theirs
 */
export function merge(base, mine, theirs) {
  const a = tokens(base)
  const [left, right] = [hunks(a, tokens(theirs)), hunks(a, tokens(mine))]
  const text = []
  let [at, i, j, clean] = [0, 0, 0, true]
  while (i < left.length || j < right.length) {
    const [one, two] = [left[i], right[j]]
    if (one && two && meet(one, two)) {
      const same = one.from === two.from && one.to === two.to && one.tokens.join('') === two.tokens.join('')
      const from = Math.min(one.from, two.from)
      text.push(...a.slice(at, from), ...one.tokens, ...(same ? [] : [' ', ...two.tokens]))
      at = Math.max(one.to, two.to)
      clean &&= same
      i++
      j++
      continue
    }
    const next = !two || (one && one.from < two.from) ? one : two
    text.push(...a.slice(at, next.from), ...next.tokens)
    at = Math.max(at, next.to)
    if (next === one) i++
    else j++
  }
  text.push(...a.slice(at))
  return { text: text.join('').replace(/ {2,}/g, ' ').trim(), clean }
}

/** Tell whether two changes touch. @param {Hunk} one @param {Hunk} two */
const meet = (one, two) => one.from <= two.to && two.from <= one.to

/** Return what changed, by the longest common subsequence. @param {string[]} a @param {string[]} b @returns {Hunk[]} */
function hunks(a, b) {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const [m, n] = [a.length - head - tail, b.length - head - tail]
  const wide = n + 1
  const length = new Uint16Array((m + 1) * wide)
  for (let i = m - 1; i >= 0; i--)
    for (let j = n - 1; j >= 0; j--)
      length[i * wide + j] =
        a[head + i] === b[head + j]
          ? length[(i + 1) * wide + j + 1] + 1
          : Math.max(length[(i + 1) * wide + j], length[i * wide + j + 1])
  /** @type {Hunk[]} */
  const found = []
  let [i, j] = [0, 0]
  while (i < m || j < n) {
    if (i < m && j < n && a[head + i] === b[head + j]) {
      i++
      j++
      continue
    }
    const [from, first] = [i, j]
    while ((i < m || j < n) && !(i < m && j < n && a[head + i] === b[head + j])) {
      if (j >= n || (i < m && length[(i + 1) * wide + j] >= length[i * wide + j + 1])) i++
      else j++
    }
    found.push({ from: head + from, to: head + i, tokens: b.slice(head + first, head + j) })
  }
  return found
}
