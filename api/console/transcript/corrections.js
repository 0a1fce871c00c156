// Sends corrections, one after the other; shows each at once, takes it back if it is refused, merges it with what
// others wrote meanwhile, and can undo it by its opposite.
import { toast } from '../base/popups.js'
import { t } from '../base/words.js'
import { Refusal, Unreachable, act, pause } from '../net/graph.js'
import { complain, reason } from '../net/reasons.js'
import { merge } from './diff.js'
import { again, reach } from './open.js'

/** @typedef {import('./document.js').Transcript} Transcript */
/** @typedef {import('./document.js').Line} Line */
/** @typedef {{line: Line, base: string, mine: string, theirs: string, merged: string}} Conflict */
/** @typedef {(conflict: Conflict) => Promise<string | null>} Decide  what the line shall say; null: as it is */

const TRIES = 4
const MOST = 1000 // edits in one request

export class Corrections {
  /** @param {Transcript} transcript @param {Decide} decide */
  constructor(transcript, decide) {
    this.transcript = transcript
    this.decide = decide
    /** @type {(() => Promise<unknown>)[]} */
    this.undos = []
    this.waiting = 0
    /** @type {Promise<unknown>} */
    this.line = Promise.resolve()
  }

  /** Change what a line says. @param {Line} line @param {string} text @param {{quiet?: boolean}} [how] */
  text(line, text, { quiet } = {}) {
    const before = line.text
    this.transcript.write(line.id, text)
    return this.#queue(async () => {
      const settled = await this.#settle(line, before, text)
      this.transcript.write(line.id, null)
      if (!settled) return
      if (!quiet)
        this.#undoable(t('correct.done'), () => this.#again(line.id, (now) => this.text(now, before, { quiet: true })))
    })
  }

  /**
   * Send a text until it is in. What others made of the line since it said `base` is merged into it, or decided.
   * @param {Line} line
   * @param {string} base
   * @param {string} mine
   */
  async #settle(line, base, mine) {
    for (let tries = 0; tries < TRIES; tries++) {
      const now = this.transcript.savedLine(line.id)
      if (!now) return this.#lost(mine)
      if (now.text !== base && now.text !== mine) {
        const { text, clean } = merge(base, mine, now.text)
        const chosen = clean ? text : await this.decide({ line: now, base, mine, theirs: now.text, merged: text })
        if (clean) toast(t('conflict.merged'))
        if (chosen === null) return false
        mine = chosen
        this.transcript.write(line.id, mine)
      }
      base = now.text
      if (base === mine) return false
      if (await this.#sent(line.id, mine)) return true
    }
    throw new Refusal({ code: 'CONFLICT', message: '' })
  }

  /** Keep a text whose line is gone: somebody joined it with another. @param {string} text */
  #lost(text) {
    toast(t('correct.gone'), [t('act.copy'), () => navigator.clipboard.writeText(text)], { alarm: true })
    return false
  }

  /**
   * Send a text once. False when something was changed meanwhile: the transcript is up to date again then.
   * @param {string} id
   * @param {string} text
   */
  async #sent(id, text) {
    try {
      await this.#send('Correct', ({ expectedRevision }) => ({ id, input: { expectedRevision, text } }), 1)
      return true
    } catch (error) {
      if (error instanceof Refusal && error.code === 'CONFLICT') return false
      throw error
    }
  }

  /**
   * Give lines to a speaker; null: to nobody.
   * @param {Line[]} lines
   * @param {string | null} speakerId
   * @param {{quiet?: boolean}} [how]
   */
  assign(lines, speakerId, { quiet } = {}) {
    const before = lines.map(({ id, speaker }) => ({ id, speakerId: speaker }))
    const edits = lines.filter(({ speaker }) => speaker !== speakerId).map(({ id }) => ({ id, speakerId }))
    if (!edits.length) return Promise.resolve()
    return this.#queue(async () => {
      await this.#edit(edits)
      if (!quiet)
        this.#undoable(t('speakers.assigned', { n: edits.length }), () => this.#queue(() => this.#edit(before)))
    })
  }

  /** @param {{id: string, speakerId: string | null}[]} edits */
  async #edit(edits) {
    for (let from = 0; from < edits.length; from += MOST) {
      const some = edits.slice(from, from + MOST)
      await this.#send('CorrectMany', (input) => ({ input: { ...input, edits: some } }))
    }
  }

  /** Say that words are right. @param {number[]} words their places in the transcript */
  confirm(words) {
    return this.#queue(() => this.#send('Confirm', (input) => ({ input: { ...input, words } })))
  }

  /** Give lines to somebody who was not told apart. @param {Line[]} lines @param {string} name */
  newSpeaker(lines, name) {
    return this.#queue(async () => {
      const segmentIds = lines.map(({ id }) => id)
      await this.#send('NewSpeaker', (input) => ({ input: { ...input, name, segmentIds } }))
      this.#undoable(t('speakers.named', { name }), this.#back())
    })
  }

  /** Change the title. @param {string} title */
  title(title) {
    const before = this.transcript.title
    const put = async (/** @type {string} */ words) => {
      await act('Title', { id: this.transcript.id, input: { title: words } })
      this.transcript.rename(words)
    }
    return this.#queue(async () => {
      await put(title)
      this.#undoable(t('correct.titled'), () => this.#queue(() => put(before)))
    })
  }

  /** Cut a line before one of its words. @param {Line} line @param {number} atWord */
  split(line, atWord) {
    return this.#queue(async () => {
      const place = this.transcript.placeOf(line.id)
      await this.#send('Split', ({ expectedRevision }) => ({ id: line.id, input: { expectedRevision, atWord } }))
      this.#undoable(t('correct.split'), () =>
        this.join(this.transcript.lines.slice(place, place + 2), { quiet: true }),
      )
    })
  }

  /** Make one of lines that follow each other. @param {Line[]} lines @param {{quiet?: boolean}} [how] */
  join(lines, { quiet } = {}) {
    const atWord = lines[0].words.text.length
    return this.#queue(async () => {
      await this.#send('Join', ({ expectedRevision }) => ({
        input: { expectedRevision, segmentIds: lines.map(({ id }) => id) },
      }))
      if (!quiet) this.#undoable(t('correct.joined'), () => this.#again(lines[0].id, (now) => this.split(now, atWord)))
    })
  }

  /** Name a speaker. @param {string} id @param {string} name @param {{quiet?: boolean}} [how] */
  name(id, name, { quiet } = {}) {
    const before = this.transcript.speakers.find((speaker) => speaker.id === id)
    return this.#queue(async () => {
      await this.#send('NameSpeaker', ({ expectedRevision }) => ({ id, input: { expectedRevision, name } }))
      const undo = before?.name ? () => this.name(id, /** @type {string} */ (before.name), { quiet: true }) : null
      if (!quiet) this.#undoable(t('speakers.named', { name }), undo ?? this.#back())
    })
  }

  /** Make two speakers one. @param {string} from @param {string} into */
  same(from, into) {
    return this.#queue(async () => {
      await this.#send('SamePerson', ({ expectedRevision }) => ({
        input: { expectedRevision, speakerIds: [from], intoId: into },
      }))
      this.#undoable(t('speakers.joined'), this.#back())
    })
  }

  /** Go back to an earlier revision. @param {number} toRevision */
  revert(toRevision) {
    return this.#queue(async () => {
      await this.#send('GoBack', ({ expectedRevision }) => ({
        id: this.transcript.id,
        input: { expectedRevision, toRevision },
      }))
      this.#undoable(t('history.wentBack', { n: toRevision }), this.#back())
    })
  }

  /** Take back the last of what was done here. */
  undo() {
    const last = this.undos.pop()
    if (!last) return toast(t('correct.nothingToUndo'))
    last().then(() => toast(t('correct.undone')), complain)
  }

  /** Return an undo by revision, which holds only while nobody has changed anything since. */
  #back() {
    const { revision } = this.transcript
    return () => {
      if (this.transcript.revision !== revision) return Promise.reject(new Refusal({ code: 'CONFLICT', message: '' }))
      return this.#queue(() =>
        this.#send('GoBack', ({ expectedRevision }) => ({
          id: this.transcript.id,
          input: { expectedRevision, toRevision: revision - 1 },
        })),
      )
    }
  }

  /** @param {string} id @param {(line: Line) => Promise<unknown>} redo */
  #again(id, redo) {
    const line = this.transcript.line(id)
    return line ? redo(line) : Promise.reject(new Refusal({ code: 'NOT_FOUND', message: '' }))
  }

  /** @param {string} words @param {() => Promise<unknown>} undo */
  #undoable(words, undo) {
    this.undos.push(undo)
    toast(words, [t('act.undo'), () => this.undo()])
  }

  /** Do something when all before it is done. @param {() => Promise<unknown>} work */
  #queue(work) {
    this.waiting++
    const done = this.line.then(work).catch((error) => this.#failed(error))
    this.line = done.finally(() => this.waiting--)
    return done
  }

  /** @param {unknown} error */
  #failed(error) {
    for (const id of [...this.transcript.written.keys()]) this.transcript.write(id, null)
    toast(t('correct.refused', { reason: reason(error) }), null, { alarm: true })
  }

  /**
   * Send a correction with the revision that is known here, and take in what it made. While the server is away it
   * waits; a conflict brings the transcript up to date, and is tried again so often.
   * @param {string} name @param {(input: {transcriptId: string, expectedRevision: number}) => any} variables
   * @param {number} [tries]
   */
  async #send(name, variables, tries = TRIES) {
    for (;;) {
      const { id: transcriptId, revision: expectedRevision } = this.transcript
      try {
        const correction = await act(name, variables({ transcriptId, expectedRevision }))
        if (!this.transcript.take(correction)) await again(this.transcript)
        return
      } catch (error) {
        if (error instanceof Unreachable) await pause(3)
        else if (error instanceof Refusal && error.code === 'CONFLICT') {
          await reach(this.transcript, error.facts.currentRevision ?? null)
          if (--tries <= 0) throw error
        } else throw error
      }
    }
  }
}
