// Every operation that the page sends stands in operations.graphql; a document is one of them with its fragments.

/** @type {Map<string, string>} */
const parts = new Map()
/** @type {Map<string, string>} */
const documents = new Map()

/** Read the operations. */
export async function load() {
  const answer = await fetch(new URL('../operations.graphql', import.meta.url))
  for (const part of (await answer.text()).split(/^(?=(?:query|mutation|subscription|fragment) )/m)) {
    const name = /^\w+ (\w+)/.exec(part)?.[1]
    if (name) parts.set(name, part.replace(/#.*$/gm, '').trim())
  }
}

/** Return an operation as it is sent. @param {string} name */
export function documentOf(name) {
  const made = documents.get(name) ?? [...withFragments(name, new Set())].map((part) => parts.get(part)).join('\n')
  documents.set(name, made)
  return made
}

/** @param {string} name @param {Set<string>} found @returns {Set<string>} */
function withFragments(name, found) {
  const part = parts.get(name)
  if (!part) throw new Error(`There is no operation ${name}.`)
  found.add(name)
  for (const [, used] of part.matchAll(/\.\.\.\s*(?!on\b)(\w+)/g)) if (!found.has(used)) withFragments(used, found)
  return found
}
