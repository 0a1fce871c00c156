// How one likes to read and listen; kept for the session of this tab only.

const KEY = 'graphophone.preferences'
const USUAL = { theme: 'system', reading: 'usual', stepBack: 0, pauseWhileWriting: true, letterKeys: true }

/** @type {typeof USUAL} */
export const preferences = { ...USUAL, ...JSON.parse(sessionStorage.getItem(KEY) ?? '{}') }

/** Change a preference, and show the page so. @param {Partial<typeof USUAL>} [changed] */
export function prefer(changed = {}) {
  Object.assign(preferences, changed)
  if (Object.keys(changed).length) sessionStorage.setItem(KEY, JSON.stringify(preferences))
  const root = document.documentElement
  if (preferences.theme === 'system') delete root.dataset.theme
  else root.dataset.theme = preferences.theme
  root.dataset.reading = preferences.reading
}
