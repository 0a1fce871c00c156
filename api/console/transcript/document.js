// A transcript as this page knows it: lines with their words, speakers, turns; what the server says, and over it what
// was just written here and is not settled yet.
import { guess, spoken } from './words.js'

/** @typedef {import('../net/types.js').Speaker} Speaker */
/** @typedef {import('./words.js').Words} Words */

/**
 * A line: a sentence, or a speaker's part of one.
 * @typedef {object} Line
 * @property {string} id
 * @property {string} text
 * @property {number} start
 * @property {number} end
 * @property {string | null} speaker its id
 * @property {boolean} edited
 * @property {string[]} flags
 * @property {Words} words
 */

/** @typedef {{speaker: string | null, start: number, end: number, lines: Line[]}} Turn */

const LONG_PAUSE = 3
const LONG_TURN = 900

/** Events: `change`, when lines, speakers or the title are other than before. */
export class Transcript extends EventTarget {
  /** @param {any} facts @param {Line[]} lines */
  constructor(facts, lines) {
    super()
    /** @type {string} */
    this.id = facts.id
    /** @type {string | null} */
    this.language = facts.language
    /** @type {number} */
    this.duration = facts.durationSeconds
    this.facts = facts
    /** What is written here and not settled, by line. @type {Map<string, string>} */
    this.written = new Map()
    this.replace(facts, lines)
  }

  /** Take in a whole answer. @param {any} facts @param {Line[]} lines */
  replace(facts, lines) {
    this.facts = { ...this.facts, ...facts }
    /** @type {string} */
    this.title = facts.title
    /** @type {number} */
    this.revision = facts.revision
    /** @type {Speaker[]} */
    this.speakers = facts.speakers
    /** As the server has them. @type {Line[]} */
    this.saved = lines
    this.#show()
  }

  /**
   * Take in a correction. False when one before it is missing, or one after it shows in it already: then the transcript
   * has to be read again.
   * @param {{revision: {number: number}, transcript: any, segments: any[], removedIds: string[]}} correction
   */
  take({ revision, transcript, segments, removedIds }) {
    if (revision.number <= this.revision) return true
    if (revision.number > this.revision + 1 || transcript.revision > revision.number) return false
    this.revision = revision.number
    this.title = transcript.title
    this.speakers = transcript.speakers
    this.lay(segments, removedIds)
    return true
  }

  /** Lay segments over the lines, each at its place. @param {any[]} segments @param {readonly string[]} [removed] */
  lay(segments, removed = []) {
    const gone = new Set([...removed, ...segments.map(({ id }) => id)])
    const lines = this.saved.filter(({ id }) => !gone.has(id))
    for (const segment of [...segments].sort((a, b) => a.index - b.index))
      lines.splice(segment.index, 0, lineOf(segment))
    this.saved = lines
    this.#show()
  }

  /**
   * Show a text before the server has said yes, or take that back (null).
   * @param {string} id
   * @param {string | null} text
   */
  write(id, text) {
    if (text === null) this.written.delete(id)
    else this.written.set(id, text)
    this.#show()
  }

  /** Show another title. @param {string} title */
  rename(title) {
    this.title = title
    this.dispatchEvent(new Event('change'))
  }

  /** Return a line as it is shown. @param {string} id */
  line(id) {
    return this.#places.get(id) === undefined ? undefined : this.lines[/** @type {number} */ (this.#places.get(id))]
  }

  /** Return a line as the server has it. @param {string} id */
  savedLine(id) {
    return this.saved.find((line) => line.id === id)
  }

  /** Return the place of a line. @param {string} id */
  placeOf(id) {
    return this.#places.get(id) ?? -1
  }

  /**
   * Return the line that is spoken at a time, the one before in a pause; null before the first.
   * @param {number} seconds
   */
  lineAt(seconds) {
    let [from, to] = [0, this.lines.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.lines[middle].start <= seconds) from = middle + 1
      else to = middle
    }
    return from ? this.lines[from - 1] : null
  }

  /** Return the place of a speaker in the list, which decides the colour. @param {string | null} id */
  speakerIndex(id) {
    return id === null ? -1 : this.speakers.findIndex((speaker) => speaker.id === id)
  }

  /** Return the place in the whole transcript of each line's first word, as the server has them. */
  firstWords() {
    let sum = 0
    /** @type {Map<string, number>} */
    const firsts = new Map()
    for (const { id, words } of this.saved) {
      firsts.set(id, sum)
      sum += words.text.length
    }
    return firsts
  }

  /** Lay what is written here over what the server has. */
  #show() {
    /** @type {Line[]} */
    this.lines = this.saved.map((line) => {
      const text = this.written.get(line.id)
      return text === undefined || text === line.text
        ? line
        : { ...line, text, edited: true, words: guess(line.words, text) }
    })
    /** @type {Map<string, number>} */
    this.#places = new Map(this.lines.map(({ id }, place) => [id, place]))
    /** @type {Turn[]} */
    this.turns = turnsOf(this.lines)
    this.dispatchEvent(new Event('change'))
  }

  /** @type {Map<string, number>} */
  #places = new Map()
}

/** Make a line of a segment with its words. @param {any} segment @returns {Line} */
export function lineOf({ id, text, start, end, speaker, edited, flags, words }) {
  const column = (/** @type {string} */ name) => words.map((/** @type {any} */ word) => word[name])
  return {
    id,
    text,
    start,
    end,
    speaker: speaker?.id ?? null,
    edited,
    flags,
    words: spoken(
      text,
      start,
      end,
      column('text'),
      column('start'),
      column('end'),
      column('confidence'),
      column('reviewed'),
    ),
  }
}

/**
 * Group lines as they are read: what one says until another does, or until a long pause.
 * @param {Line[]} lines
 * @returns {Turn[]}
 */
function turnsOf(lines) {
  /** @type {Turn[]} */
  const turns = []
  let length = 0
  for (const line of lines) {
    const last = turns.at(-1)
    if (last && last.speaker === line.speaker && line.start - last.end < LONG_PAUSE && length < LONG_TURN) {
      last.lines.push(line)
      last.end = Math.max(last.end, line.end)
      length += line.text.length
    } else {
      turns.push({ speaker: line.speaker, start: line.start, end: line.end, lines: [line] })
      length = line.text.length
    }
  }
  return turns
}
