// Reads a transcript whole, and keeps it in step with what others do to it.
import { ask } from '../net/graph.js'
import { Transcript, lineOf } from './document.js'

/** Read a transcript. @param {string} id @returns {Promise<Transcript | null>} */
export async function open(id) {
  const facts = await read(id)
  return facts && new Transcript(facts, await lines(id))
}

/** Read it again, when something was missed. @param {Transcript} transcript */
export async function again(transcript) {
  const facts = await read(transcript.id)
  if (facts) transcript.replace(facts, await lines(transcript.id))
}

/** @param {string} id */
const read = async (id) => (await ask('Open', { id })).transcript

/** @param {string} id */
async function lines(id) {
  const found = []
  for (let after = null; ;) {
    /** @type {any} */
    const { segments } = (await ask('Lines', { id, after })).transcript
    found.push(...segments.edges.map((/** @type {any} */ { node }) => lineOf(node)))
    if (!segments.pageInfo.hasNextPage) return found
    after = segments.pageInfo.endCursor
  }
}
