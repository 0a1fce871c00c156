// One transcript: read, listen, find, correct, name speakers.
import { h, notice, say } from '../base/dom.js'
import { toast } from '../base/popups.js'
import { t } from '../base/words.js'
import { learn } from '../library/jobs.js'
import { ask } from '../net/graph.js'
import { exportDialog } from '../panels/export.js'
import { findPanel, lookFor } from '../panels/find.js'
import { historyPanel } from '../panels/history.js'
import { Review } from '../panels/review.js'
import { Side } from '../panels/side.js'
import { speakersPanel } from '../panels/speakers.js'
import { stagesPanel } from '../panels/stages.js'
import { Player } from '../reader/player.js'
import { Reading } from '../reader/reading.js'
import { TextView } from '../reader/text.js'
import { Conflicts } from './conflict.js'
import { Corrections } from '../transcript/corrections.js'
import { Editing } from './editing.js'
import { keys } from './keys.js'
import { followLive } from '../transcript/live.js'
import { personOf } from '../transcript/names.js'
import { follow, open } from '../transcript/open.js'
import { pointing } from './pointing.js'
import { Top } from './top.js'

/** @typedef {import('../transcript/document.js').Transcript} Transcript */
/** @typedef {import('../transcript/document.js').Line} Line */
/** @typedef {import('../net/types.js').Start} Start */

/** Show a transcript. @param {string} id @param {URLSearchParams} query @param {Start} start */
export async function transcript(id, query, start) {
  const found = await open(id)
  if (!found) return missing()
  return new View(found, start).shown(query)
}

function missing() {
  const words = notice(
    'warn',
    'warn',
    [h('b', null, t('transcript.missing')), ` ${t('transcript.missingHint')}`],
    [h('a', { class: 'btn line small', href: '#/' }, t('bar.back'))],
  )
  return {
    title: t('transcript.missing'),
    main: h(
      'main',
      { id: 'main', tabindex: -1, class: 'page lib' },
      h('h1', { class: 'sr' }, t('transcript.missing')),
      words,
    ),
  }
}

export class View {
  /** @param {Transcript} transcript @param {Start} start */
  constructor(transcript, start) {
    this.transcript = transcript
    this.formats = start.capabilities.exportFormats
    this.scopes = start.viewer.scopes
    this.gone = new AbortController()
    /** @type {((by: number) => void) | null} */
    this.stepHits = null
    /** @type {Review | null} */
    this.review = null
    this.article = h('article', {
      class: 'text',
      tabindex: 0,
      'aria-label': t('transcript.label'),
      'aria-keyshortcuts': 'ArrowUp ArrowDown Enter',
    })
    this.text = new TextView(this.article, transcript)
    this.reading = new Reading(this.text, transcript)
    this.player = this.#player()
    this.reading.player = this.player
    this.conflicts = new Conflicts(this.text)
    this.corrections = new Corrections(transcript, (conflict) => this.conflicts.decide(conflict))
    this.editing = new Editing(transcript, this.text, this.player, this.corrections)
    this.side = new Side(this.#panels(), this.live ? 'stages' : 'speakers')
    this.top = new Top(this)
    this.writing = h(
      'p',
      { class: 'writing', hidden: !this.live },
      h('span', { class: 'cursor' }),
      t('transcript.listening'),
    )
    this.#listen()
  }

  /** Whether it is still being recognised. */
  get live() {
    return ['QUEUED', 'RUNNING'].includes(this.transcript.facts.job.state)
  }

  /** Whether it may be corrected here and now. */
  get may() {
    return !this.live && this.scopes.some((scope) => ['transcripts:write', 'admin'].includes(scope))
  }

  /** Return the view for the page. @param {URLSearchParams} query */
  shown(query) {
    const main = h(
      'main',
      { id: 'main', tabindex: -1, class: 'tpage' },
      this.top.el,
      this.top.notes,
      h('div', { class: 'cols' }, h('div', { class: 'middle' }, this.article, this.writing), this.side.el),
    )
    this.top.update()
    document.body.classList.add('docked')
    requestAnimationFrame(() => this.#begin(query))
    return {
      title: this.transcript.title,
      main,
      inside: true,
      after: [this.reading.pill, this.player.el],
      close: () => this.close(),
    }
  }

  close() {
    this.editing.end?.(true)
    this.review?.close()
    this.gone.abort()
    this.reading.close()
    this.text.close()
    this.player.close()
    this.side.close()
    document.body.classList.remove('docked')
  }

  /** @param {URLSearchParams} query */
  #begin(query) {
    const at = Number(query.get('at') ?? 0)
    this.text.stand(this.transcript.lines[0]?.id ?? null)
    if (at) this.player.seek(at)
    if (query.has('find')) {
      lookFor(this.transcript, query.get('find') ?? '')
      this.side.open('find')
    }
    if (query.has('export')) this.export()
  }

  #player() {
    const { transcript } = this
    const { media, durationSeconds } = transcript.facts
    return new Player({
      duration: durationSeconds,
      peaks: media?.peaks ?? [],
      url: media?.playbackUrl ?? null,
      renew: async () => (await ask('Play', { id: media.id })).media?.playbackUrl ?? null,
      who: (seconds) => {
        const place = transcript.speakerIndex(transcript.lineAt(seconds)?.speaker ?? null)
        return place < 0 ? '' : personOf(transcript.speakers[place], place)
      },
      turns: () =>
        transcript.turns.map(({ speaker, start, end }) => ({
          start,
          end,
          speaker: speaker === null ? null : transcript.speakerIndex(speaker),
        })),
      tick: (seconds, playing) => this.reading.tick(seconds, playing),
    })
  }

  #panels() {
    const { transcript } = this
    return {
      speakers: () => speakersPanel(this.speakerContext()),
      stages: () => stagesPanel(transcript.facts.job),
      history: () =>
        historyPanel({
          transcript,
          may: this.may,
          back: (number) => this.corrections.revert(number),
          show: (id) => this.show(id),
        }),
      find: () =>
        findPanel({
          transcript,
          text: this.text,
          seek: (id, at) => this.seekTo(id, at),
          stepped: (step) => (this.stepHits = step),
        }),
    }
  }

  /** What the panel and the menu of a speaker work with. */
  speakerContext() {
    const hear = (/** @type {Line} */ line) => this.player.hear(line.start, line.end + 0.3)
    return { transcript: this.transcript, corrections: this.corrections, may: this.may, hear }
  }

  #listen() {
    const on = { signal: this.gone.signal }
    this.transcript.addEventListener('change', () => this.#changed(), on)
    pointing(this, this.gone.signal)
    addEventListener('keydown', keys(this), on)
    addEventListener(
      'beforeunload',
      (event) => (this.corrections.waiting || this.text.editing) && event.preventDefault(),
      on,
    )
    follow(this.transcript, this.gone.signal, () => this.#deleted())
    if (this.live) followLive(this.transcript, this.gone.signal, (job) => this.#got(job))
  }

  /** What is being recognised has got on. @param {import('../net/types.js').Job} job */
  #got(job) {
    const was = this.live
    this.transcript.facts.job = job
    learn(job)
    this.side.refresh('stages')
    if (was === this.live) return
    this.side.usual = 'speakers'
    this.side.shut()
    this.writing.hidden = true
    this.top.update()
    say(t(`finished.${job.state}`, { name: this.transcript.title }))
  }

  #changed() {
    this.text.update()
    this.conflicts.place()
    this.top.update()
    this.player.redraw()
    this.side.refresh('speakers')
    if (this.side.name === 'history') this.side.refresh('history')
    this.review?.update()
  }

  /** Show a line. @param {string} id */
  show(id) {
    const line = this.transcript.line(id)
    if (!line) return
    this.player.seek(line.start + 0.001)
    this.text.stand(id)
    this.text.spans.get(id)?.scrollIntoView({ block: 'center' })
  }

  /** Go to where a place in a line is spoken. @param {string} id @param {number} at */
  seekTo(id, at) {
    const words = this.transcript.line(id)?.words
    if (!words?.text.length) return
    let index = 0
    while (index + 1 < words.at.length && words.at[index + 1] <= at) index++
    this.player.seek(words.start[index] + 0.001)
  }

  /** Give what is selected, or the reading line, to a speaker. @param {number} place */
  give(place) {
    const speaker = this.transcript.speakers[place]
    const selected = this.text.selected()
    const here = this.text.here ? this.transcript.line(this.text.here) : undefined
    if (speaker && this.may) this.corrections.assign(selected.length ? selected : here ? [here] : [], speaker.id)
  }

  export() {
    if (!document.querySelector('dialog')) exportDialog(this.transcript, this.formats)
  }

  /** Begin or end the review of doubtful words. */
  reviewing() {
    if (this.review) {
      this.review.close()
      this.review = null
    } else {
      const edit = this.may
        ? (/** @type {string} */ line, /** @type {number} */ at) => this.editing.open(line, at)
        : null
      this.review = new Review({
        transcript: this.transcript,
        text: this.text,
        player: this.player,
        edit,
        confirm: (words) => this.corrections.confirm(words),
        closed: () => this.reviewing(),
      })
      this.player.el.before(this.review.el)
    }
    this.top.update()
  }

  #deleted() {
    toast(t('delete.done', { name: this.transcript.title }))
    location.hash = '#/'
  }
}
