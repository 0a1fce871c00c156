// What people are called, wherever they are shown.
import { t } from '../base/words.js'

/** @typedef {{label: string, name: string | null}} Named */

/**
 * Return the number that the machine gave to a speaker, from 1: SPEAKER_00 is the first.
 * @param {Named} speaker
 * @param {number} [index]
 */
const numberOf = ({ label }, index) => (index ?? Number(/\d+$/.exec(label)?.[0] ?? 0)) + 1

/** Return what a speaker is called. @param {Named} speaker @param {number} [index] place in the list of speakers */
export const personOf = (speaker, index) =>
  speaker.name ?? t('transcript.speakerNumber', { n: numberOf(speaker, index) })

/** Return two letters, or a number, for a speaker. @param {Named} speaker @param {number} [index] */
export function initials(speaker, index) {
  if (!speaker.name) return String(numberOf(speaker, index))
  const segmenter = new Intl.Segmenter()
  const letters = speaker.name
    .trim()
    .split(/\s+/)
    .map((part) => [...segmenter.segment(part)][0]?.segment ?? '')
  return letters.length > 1 ? letters[0] + letters[letters.length - 1] : letters[0]
}
