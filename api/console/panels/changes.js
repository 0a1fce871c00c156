// Shows the differences of two texts.
import { h } from '../base/dom.js'
import { difference } from '../transcript/diff.js'

/**
 * Show what was taken out of a text, and what was put in.
 * @param {string} before
 * @param {string} after
 */
export const changed = (before, after) =>
  difference(before, after).map(([kind, text]) => (kind === 'same' ? text : h(kind, null, text)))
