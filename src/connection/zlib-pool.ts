import type { Budget } from '../protocol/budget.js'
import type { ZlibStream } from './zlib-stream.js'

/**
 * The zlib streams of a shard, of one direction. A stream goes on where its owner's last message ended as long as the
 * owner has it; when there are `most`, who has not used his for the longest time loses it to who needs one.
 *
 * That is what keeps compression from costing memory by the connection: a deflating stream takes 256 KiB, and many of
 * them, coming and going, leave holes in the heap that nothing else fits into.
 */
export class ZlibPool {
  /** In the order of their last use. */
  readonly #streams = new Map<object, ZlibStream>()
  /** Without an owner, by window bits. */
  readonly #spares = new Map<number, ZlibStream>()
  readonly #most: number
  readonly #budget: Budget
  readonly #create: (windowBits: number) => ZlibStream
  #latest: object | undefined

  /**
   * @param most streams that have an owner, 1 at least
   * @param budget has the memory of these; there are few, so that none is refused
   */
  constructor(most: number, budget: Budget, create: (windowBits: number) => ZlibStream) {
    this.#most = most
    this.#budget = budget
    this.#create = create
  }

  /** How many streams there are. */
  get size(): number {
    return this.#streams.size + this.#spares.size
  }

  /** The owner's stream, as it was left; undefined when there is none any more. */
  find(owner: object): ZlibStream | undefined {
    const stream = this.#streams.get(owner)
    if (stream === undefined) return undefined
    stream.used = true
    if (this.#latest !== owner) {
      this.#streams.delete(owner)
      this.#streams.set(owner, stream)
      this.#latest = owner
    }
    return stream
  }

  /** Gives `owner`, who has none, a stream that knows nothing. */
  assign(owner: object, windowBits: number): ZlibStream {
    if (!this.#spares.has(windowBits) && this.#streams.size >= this.#most) {
      const [oldest] = this.#streams.keys()
      this.release(oldest)
    }
    let stream = this.#spares.get(windowBits)
    if (stream === undefined) stream = this.#create(windowBits)
    else {
      this.#spares.delete(windowBits)
      stream.reset()
    }
    stream.used = true
    this.#streams.set(owner, stream)
    this.#latest = owner
    this.#budget.resize(0, stream.memory)
    return stream
  }

  /** The owner's stream, if there is one, is anybody's. */
  release(owner: object): void {
    const stream = this.#streams.get(owner)
    if (stream === undefined) return
    this.#streams.delete(owner)
    this.#budget.resize(stream.memory, 0)
    if (this.#latest === owner) this.#latest = undefined
    if (this.#spares.has(stream.windowBits)) stream.close()
    else this.#spares.set(stream.windowBits, stream)
  }

  /** Closes the streams that nobody has used since the last call. */
  closeUnused(): void {
    for (const [owner, stream] of this.#streams) {
      if (!stream.used) this.release(owner)
    }
    for (const [windowBits, stream] of this.#spares) {
      if (stream.used) stream.used = false
      else {
        this.#spares.delete(windowBits)
        stream.close()
      }
    }
    for (const stream of this.#streams.values()) stream.used = false
  }

  /** Closes all. */
  close(): void {
    for (const owner of this.#streams.keys()) this.release(owner)
    for (const stream of this.#spares.values()) stream.close()
    this.#spares.clear()
  }
}
