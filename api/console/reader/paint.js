// Paints over plain text by the CSS Custom Highlight API: no element a word, so 90,000 of them play at 60 frames a
// second.

/** @typedef {'spoken' | 'doubt' | 'hit' | 'hit-now'} Name */
/** @typedef {[line: string, at: number, length: number]} Span */
/** @typedef {(id: string) => Text | undefined} NodeOf */

const ORDER = /** @type {Name[]} */ (['doubt', 'hit', 'hit-now', 'spoken'])
export const paints = 'highlights' in CSS

export class Paint {
  /** @param {NodeOf} nodeOf @param {(id: string) => HTMLElement | undefined} turnOf */
  constructor(nodeOf, turnOf) {
    this.nodeOf = nodeOf
    this.turnOf = turnOf
    /** The one range that is moved for the spoken word. */
    this.range = new Range()
    /** @type {Map<Name, Map<string, Span[]>>} spans by line */
    this.marks = new Map()
    /**
     * Lines of the turns within a screen of what is seen: thousands of painted ranges make each move of the spoken
     * word slow.
     * @type {Map<Element, readonly string[]>}
     */
    this.near = new Map()
    /** @type {WeakMap<Element, readonly string[]>} */
    this.linesOf = new WeakMap()
    if (paints)
      ORDER.forEach((name, priority) => CSS.highlights.set(name, Object.assign(new Highlight(), { priority })))
    this.watcher = new IntersectionObserver((seen) => this.#seen(seen), { rootMargin: '100% 0px' })
  }

  /** Watch whether a turn is near. @param {HTMLElement} turn @param {readonly string[]} lines */
  watch(turn, lines) {
    this.linesOf.set(turn, lines)
    this.watcher.observe(turn)
  }

  /** @param {HTMLElement} turn */
  unwatch(turn) {
    this.watcher.unobserve(turn)
    this.near.delete(turn)
  }

  /** Light a word. @param {Text} node @param {number} at @param {number} length */
  light(node, at, length) {
    if (!paints) return
    const from = Math.min(at, node.length)
    this.range.setStart(node, from)
    this.range.setEnd(node, Math.min(node.length, from + length))
    highlight('spoken').add(this.range)
  }

  /** Light nothing. */
  dark() {
    if (paints) highlight('spoken').clear()
  }

  /** Mark places in the text. @param {Name} name @param {Iterable<Span>} spans */
  mark(name, spans) {
    /** @type {Map<string, Span[]>} */
    const lines = new Map()
    for (const span of spans) {
      const others = lines.get(span[0])
      if (others) others.push(span)
      else lines.set(span[0], [span])
    }
    this.marks.set(name, lines)
    this.repaint()
  }

  /** Paint the marks that are near. */
  repaint() {
    if (!paints) return
    for (const [name, lines] of this.marks) {
      const all = highlight(name)
      all.clear()
      if (!lines.size) continue
      for (const near of this.near.values())
        for (const id of near) for (const span of lines.get(id) ?? []) this.#put(all, span)
    }
  }

  /** Paint nothing any more. */
  close() {
    this.watcher.disconnect()
    if (paints) for (const name of ORDER) CSS.highlights.delete(name)
  }

  /** @param {Highlight} all @param {Span} span */
  #put(all, [id, at, length]) {
    const node = this.nodeOf(id)
    if (!node || at > node.length) return
    all.add(
      new StaticRange({
        startContainer: node,
        startOffset: at,
        endContainer: node,
        endOffset: Math.min(node.length, at + length),
      }),
    )
  }

  /** @param {IntersectionObserverEntry[]} seen */
  #seen(seen) {
    for (const { isIntersecting, target } of seen) {
      if (isIntersecting) this.near.set(target, this.linesOf.get(target) ?? [])
      else this.near.delete(target)
    }
    this.repaint()
  }
}

/** @param {Name} name */
const highlight = (name) => /** @type {Highlight} */ (CSS.highlights.get(name))
