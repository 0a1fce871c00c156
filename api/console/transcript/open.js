// Reads a transcript whole, and keeps it in step with what others do to it.
import { ask } from '../net/graph.js'
import { watch } from '../net/socket.js'
import { Transcript } from './document.js'
import { spoken } from './words.js'

/** @typedef {import('./document.js').Line} Line */

const TRIES = 5
const REACH_WITHIN = 2000

/** Read a transcript. @param {string} id @returns {Promise<Transcript | null>} */
export async function open(id) {
  const facts = await read(id)
  return facts && new Transcript(facts, linesOf(facts))
}

/** Read it again, when something was missed. @param {Transcript} transcript */
export async function again(transcript) {
  const facts = await read(transcript.id)
  if (facts) transcript.replace(facts, linesOf(facts))
}

/**
 * Follow what anybody does to a transcript. One who has missed a correction reads the whole again.
 * @param {Transcript} transcript @param {AbortSignal} signal @param {() => void} deleted
 */
export function follow(transcript, signal, deleted) {
  const next = (/** @type {any} */ event) => {
    if (event.__typename === 'JobDeleted') deleted()
    if (event.__typename === 'TranscriptRevised' && !transcript.take(event)) again(transcript)
  }
  const stale = () => {
    if (signal.aborted) return
    again(transcript).then(() => follow(transcript, signal, deleted), deleted)
  }
  signal.addEventListener('abort', watch('Corrections', { id: transcript.id }, { next, stale }))
}

/**
 * Wait until a revision is known here: it comes by itself, or else is read.
 * @param {Transcript} transcript
 * @param {number | null} revision
 */
export function reach(transcript, revision) {
  if (revision === null) return again(transcript)
  if (transcript.revision >= revision) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const changed = () => transcript.revision >= revision && done(Promise.resolve())
    const done = (/** @type {Promise<void>} */ result) => {
      clearTimeout(timer)
      transcript.removeEventListener('change', changed)
      result.then(() => resolve(undefined), reject)
    }
    const timer = setTimeout(() => done(again(transcript)), REACH_WITHIN)
    transcript.addEventListener('change', changed)
  })
}

/** Read it so that all columns are of one revision, also while somebody corrects it. @param {string} id */
async function read(id) {
  for (let tries = 1; ; tries++) {
    const { transcript } = await ask('Open', { id })
    if (!transcript) return null
    const { revision, segmentColumns, wordColumns } = transcript
    if ((revision === segmentColumns.revision && revision === wordColumns.revision) || tries === TRIES)
      return transcript
  }
}

/** Make lines of columns. @param {any} facts @returns {Line[]} */
function linesOf({ segmentColumns: lines, wordColumns: words, speakers }) {
  return lines.id.map((/** @type {string} */ id, /** @type {number} */ index) => {
    const [first, end] = [lines.firstWord[index], lines.firstWord[index] + lines.wordCount[index]]
    const part = (/** @type {string} */ name) => words[name].slice(first, end)
    const [text, from, to] = [lines.text[index], lines.start[index], lines.end[index]]
    return {
      id,
      text,
      start: from,
      end: to,
      speaker: speakers[lines.speaker[index]]?.id ?? null,
      edited: lines.edited[index],
      flags: lines.flags[index],
      words: spoken(text, from, to, part('text'), part('start'), part('end'), part('confidence'), part('reviewed')),
    }
  })
}
