// Records from the microphone.
import { button, h, pick, say } from '../base/dom.js'
import { dialog, field } from '../base/popups.js'
import { clock, t } from '../base/words.js'

const BARS = 48
const EVERY = 80

/** Open the recorder; `done` gets the file. @param {(file: File) => void} done */
export async function record(done) {
  const time = h('p', { class: 'big-time num', role: 'timer', 'aria-live': 'off' }, clock(0))
  const bars = Array.from({ length: BARS }, () => h('i', { vars: { '--h': '2%' } }))
  const body = h('div', { class: 'recorder' }, time, h('div', { class: 'meter', 'aria-hidden': 'true' }, bars))
  const where = h('div')
  const hold = button(t('act.pause'), { glyph: 'pause', kind: 'line', onclick: () => turn() })
  const finish = button(t('record.finish'), { glyph: 'check', kind: 'main', onclick: () => stop(true) })
  const foot = [button(t('record.discard'), { glyph: 'trash', kind: 'bad', onclick: () => stop(false) }), hold, finish]
  /** @type {{stream: MediaStream, recorder: MediaRecorder, meter: () => number} | null} */
  let live = null
  /** @type {Blob[]} */
  let parts = []
  let passed = 0
  let closed = false
  const box = dialog(t('record.title'), {
    narrow: true,
    body: [body, where],
    foot,
    closed: () => ((closed = true), stop(false)),
  })

  const ticking = setInterval(() => {
    if (live?.recorder.state !== 'recording') return
    passed += EVERY / 1000
    time.textContent = clock(passed)
    const first = bars.shift()
    first.style.setProperty('--h', `${Math.round(2 + live.meter() * 98)}%`)
    first.parentElement.append(first)
    bars.push(first)
  }, EVERY)

  const turn = () => {
    const paused = live?.recorder.state === 'paused'
    if (paused) live?.recorder.resume()
    else live?.recorder.pause()
    hold.replaceChildren(
      ...button(t(paused ? 'act.pause' : 'record.goOn'), { glyph: paused ? 'pause' : 'mic' }).childNodes,
    )
  }

  /** @param {boolean} keep */
  async function stop(keep) {
    clearInterval(ticking)
    const was = live
    live = null
    if (was) {
      await new Promise((resolve) => {
        was.recorder.onstop = resolve
        was.recorder.stop()
      })
      for (const track of was.stream.getTracks()) track.stop()
    }
    if (keep && parts.length) {
      const kind = parts[0].type.split(';')[0]
      const stamp = new Date().toLocaleString('sv').replaceAll(':', '.')
      done(new File(parts, `${t('record.file')} ${stamp}.${kind.includes('mp4') ? 'm4a' : 'webm'}`, { type: kind }))
    }
    parts = []
    if (!closed) box.close()
  }

  /** @param {string} [device] */
  async function listen(device) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: device ? { deviceId: { exact: device } } : true })
    if (closed) return stream.getTracks().forEach((track) => track.stop())
    if (live) {
      live.recorder.ondataavailable = null
      live.recorder.stop()
      for (const track of live.stream.getTracks()) track.stop()
      parts = []
      passed = 0
    }
    const recorder = new MediaRecorder(stream)
    recorder.ondataavailable = ({ data }) => data.size && parts.push(data)
    recorder.start(1000)
    live = { stream, recorder, meter: loudness(stream) }
    say(t('record.running'))
    await choose(stream)
  }

  /** @param {MediaStream} stream */
  async function choose(stream) {
    const inputs = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'audioinput')
    const now = stream.getAudioTracks()[0]?.getSettings().deviceId
    const options = inputs.map(
      (one, index) =>
        /** @type {[string, string]} */ ([one.deviceId, one.label || `${t('record.microphone')} ${index + 1}`]),
    )
    if (inputs.length > 1)
      where.replaceChildren(
        field(
          t('record.microphone'),
          pick(t('record.microphone'), options, { value: now, boxed: true, onchange: listen }),
        ),
      )
  }

  try {
    await listen()
  } catch {
    body.replaceChildren(h('p', { role: 'alert' }, t('record.refused')))
    for (const one of [hold, finish]) one.hidden = true
  }
}

/** Return a function that tells how loud it is now, 0..1. @param {MediaStream} stream */
function loudness(stream) {
  const context = new AudioContext()
  const analyser = context.createAnalyser()
  context.createMediaStreamSource(stream).connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  return () => {
    analyser.getFloatTimeDomainData(samples)
    return Math.min(
      1,
      samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0),
    )
  }
}
