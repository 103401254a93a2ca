import type { MemoryBudget } from './memory-budget.js'
import type { ZlibStream } from './zlib-stream.js'

const MAX_WINDOW_BITS = 15

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
  /** Without an owner, by window bits. Kept, since memory that comes and goes with connections leaves holes, too. */
  readonly #spares: ZlibStream[][] = Array.from({ length: MAX_WINDOW_BITS + 1 }, () => [])
  #spareCount = 0
  readonly #most: number
  readonly #memory: Pick<MemoryBudget, 'add'>
  readonly #create: (windowBits: number) => ZlibStream
  #latest: object | undefined

  /**
   * @param most streams that there are, 1 at least
   * @param memory where those that somebody uses are counted
   */
  constructor(most: number, memory: Pick<MemoryBudget, 'add'>, create: (windowBits: number) => ZlibStream) {
    this.#most = most
    this.#memory = memory
    this.#create = create
  }

  /** How many streams there are. */
  get size(): number {
    return this.#streams.size + this.#spareCount
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
    if (this.#streams.size >= this.#most) {
      const [oldest] = this.#streams.keys()
      this.release(oldest)
    }
    const stream = this.#takeSpare(windowBits) ?? this.#create(windowBits)
    stream.used = true
    this.#streams.set(owner, stream)
    this.#latest = owner
    this.#memory.add(stream.memory)
    return stream
  }

  /** The owner's stream, if there is one, is anybody's. */
  release(owner: object): void {
    const stream = this.#streams.get(owner)
    if (stream === undefined) return
    this.#streams.delete(owner)
    this.#memory.add(-stream.memory)
    if (this.#latest === owner) this.#latest = undefined
    this.#spares[stream.windowBits].push(stream)
    this.#spareCount++
  }

  /** @returns a spare stream that knows nothing; undefined where there is none, and room for a new one */
  #takeSpare(windowBits: number): ZlibStream | undefined {
    const stream = this.#spares[windowBits].pop()
    if (stream !== undefined) {
      this.#spareCount--
      stream.reset()
    } else if (this.size >= this.#most) {
      this.#spares
        .find(spares => spares.length > 0)
        ?.pop()
        ?.close()
      this.#spareCount--
    }
    return stream
  }

  /** Closes the streams that nobody has used since the last call. */
  closeUnused(): void {
    for (const [owner, stream] of this.#streams) {
      if (!stream.used) this.release(owner)
    }
    for (const [windowBits, spares] of this.#spares.entries()) {
      this.#spares[windowBits] = spares.filter(stream => stream.used)
      for (const stream of spares) if (!stream.used) stream.close()
      this.#spareCount -= spares.length - this.#spares[windowBits].length
      for (const stream of this.#spares[windowBits]) stream.used = false
    }
    for (const stream of this.#streams.values()) stream.used = false
  }

  /** Closes all. */
  close(): void {
    for (const owner of this.#streams.keys()) this.release(owner)
    for (const stream of this.#spares.flat()) stream.close()
    for (const spares of this.#spares) spares.length = 0
    this.#spareCount = 0
  }
}
