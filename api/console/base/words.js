// The page's own words: messages in files by language, plurals, and what depends on the language they are read in.

export const LANGUAGES = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français', ar: 'العربية' }
const RIGHT_TO_LEFT = ['ar', 'arc', 'ckb', 'dv', 'fa', 'he', 'ks', 'ps', 'sd', 'ug', 'ur', 'yi']

/** @type {Record<string, any>} */
let messages = {}
let language = 'en'
let plurals = new Intl.PluralRules('en')

/** Return the direction in which a language is written. @param {string | null | undefined} code */
export const direction = (code) => (code ? (RIGHT_TO_LEFT.includes(code.split('-')[0]) ? 'rtl' : 'ltr') : 'auto')

/** Return the language of this page. */
export const spoken = () => language

/** Return the language that this page can speak and the person reads best. */
export function preferred() {
  const known = navigator.languages.map((code) => code.split('-')[0].toLowerCase()).find((code) => code in LANGUAGES)
  return sessionStorage.getItem('graphophone.language') ?? known ?? 'en'
}

/** Read the messages of a language, and turn the page its way. @param {string} code */
export async function speak(code) {
  const answer = await fetch(new URL(`../messages/${code}.json`, import.meta.url))
  messages = await answer.json()
  language = code
  plurals = new Intl.PluralRules(code)
  document.documentElement.lang = code
  document.documentElement.dir = direction(code)
}

/**
 * Return a message by its path, such as `library.drop`. `{name}` takes a value; a message in several forms is chosen
 * by the plural of `n`.
 * @param {string} path
 * @param {Record<string, string | number>} [values]
 */
export function t(path, values = {}) {
  let found = path.split('.').reduce((/** @type {any} */ at, key) => at?.[key], messages)
  if (found && typeof found === 'object') found = found[plurals.select(Number(values.n))] ?? found.other
  if (typeof found !== 'string') return path
  return found.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name]
    return typeof value === 'number' ? number(value) : (value ?? '')
  })
}

/** Return a message if there is one. @param {string} path @returns {string | null} */
export function known(path) {
  const found = t(path)
  return found === path ? null : found
}

/** Formatters are dear to make, and few. @type {Map<string, Intl.NumberFormat>} */
const formatters = new Map()

/** Write a number. @param {number} value @param {Intl.NumberFormatOptions} [options] */
export function number(value, options) {
  const key = language + JSON.stringify(options)
  const formatter = formatters.get(key) ?? new Intl.NumberFormat(language, options)
  formatters.set(key, formatter)
  return formatter.format(value)
}

/** Write a part of a whole. @param {number} part 0..1 */
export const percent = (part) => number(part, { style: 'percent', maximumFractionDigits: 0 })

/** Write how much a file holds. @param {number} bytes */
export function size(bytes) {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return number(value, { style: 'unit', unit: units[power], maximumFractionDigits: value < 10 && power ? 1 : 0 })
}

/** Write a list of things. @param {string[]} things */
export const list = (things) => new Intl.ListFormat(language, { type: 'conjunction' }).format(things)

/** Write the name of a language. @param {string} code */
export const languageName = (code) => new Intl.DisplayNames([language], { type: 'language' }).of(code) ?? code

/** Write an instant as people speak of it: today with the hour, else the day. @param {string} instant */
export function when(instant) {
  const at = new Date(instant)
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000)
  const hour = new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit' }).format(at)
  if (days === 0 || days === 1)
    return `${new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-days, 'day')}, ${hour}`
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : 'numeric'
  return new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', year }).format(at)
}

/** Write a place in a recording: 754 → "12:34", 4000 → "1:06:40". @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0')
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`
}

/** Read a place in a recording: "1:06:40" → 4000; null when it is none. @param {string} words */
export function seconds(words) {
  const parts = words.trim().split(':').map(Number)
  return parts.length > 3 || parts.some((part) => !(part >= 0)) ? null : parts.reduce((sum, part) => sum * 60 + part, 0)
}

/** Write a forecast, never to the second. @param {number} forecast in seconds */
export function roughly(forecast) {
  const minutes = Math.round(forecast / 60)
  if (forecast < 50) return t('time.underAMinute')
  if (minutes < 60) return t('time.minutes', { n: Math.max(1, minutes) })
  return t('time.hours', { n: Math.round(minutes / 6) / 10 })
}

/** Write how long something took. @param {number} took in seconds */
export function lasted(took) {
  const short = { style: 'unit', unitDisplay: 'long', maximumFractionDigits: 0 }
  if (took < 60)
    return number(took, /** @type {any} */ ({ ...short, unit: 'second', maximumFractionDigits: took < 10 ? 1 : 0 }))
  if (took < 3600) return number(took / 60, /** @type {any} */ ({ ...short, unit: 'minute' }))
  return number(took / 3600, /** @type {any} */ ({ ...short, unit: 'hour', maximumFractionDigits: 1 }))
}
