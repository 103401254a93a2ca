import { EVENT_ERROR, EVENT_OPCODE, EVENT_WORDS } from '../codec/events.js'

/** As Node's own pool: what keeping one small message may pin. */
const SLAB_BYTES = 8192
/** Longer messages get a buffer of their own. */
const MOST_SHARED = SLAB_BYTES / 2

type BufferConstructor = new (memory: ArrayBufferLike, start: number, length: number) => Buffer

/**
 * The class whose instances are Buffers. `Buffer.from(memory, ...)` and `subarray` end up in its constructor, too, but
 * look at their arguments first, which takes twice as long (23 against 49 and 67 ns on Node 20).
 */
const FastBuffer = (Buffer as unknown as { [Symbol.species]: BufferConstructor })[Symbol.species]

/**
 * The binary messages of a shard, as Buffers over the codec's memory or as copies that the application may keep. All
 * small messages of a read are copied together, in one call, into a slab that they share with those of other reads:
 * what a message of its own costs is the `Buffer`.
 *
 * The memory behind each typed array is kept beside it, since asking for `.buffer` is a call out of compiled code.
 */
export class Payloads {
  readonly #memory: ArrayBufferLike
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #slabMemory: ArrayBufferLike = this.#slab.buffer
  #used = 0
  /** What of the codec's memory is in the slab already: this stretch, from `#at` on. */
  #start = 0
  #end = 0
  #at = 0
  /** Where the last payload of the read ends. */
  #limit = 0

  /** @param bytes the codec's memory, all of it */
  constructor(bytes: Buffer) {
    this.#memory = bytes.buffer
  }

  /**
   * Another read was decoded: what was copied before is of no use any more.
   *
   * @param events the codec's table
   * @param count of events in it
   */
  begin(events: Int32Array, count: number): void {
    this.#end = 0
    const last = (count - 1) * EVENT_WORDS
    const isError = count > 0 && (events[last] & EVENT_OPCODE) === EVENT_ERROR
    this.#limit = isError || count === 0 ? 0 : events[last + 1] + events[last + 2]
  }

  /** A view of the codec's memory, valid until the next read. */
  view(start: number, end: number): Buffer {
    return new FastBuffer(this.#memory, start, end - start)
  }

  /** A copy of the bytes from `start` to `end` of the codec's memory. */
  copy(start: number, end: number): Buffer {
    const length = end - start
    if (length > MOST_SHARED) {
      const own = Buffer.allocUnsafeSlow(length)
      own.set(this.view(start, end))
      return own
    }
    if (end > this.#end || start < this.#start) this.#copyStretch(start, end)
    return new FastBuffer(this.#slabMemory, this.#at + start - this.#start, length)
  }

  #copyStretch(start: number, end: number): void {
    if (SLAB_BYTES - this.#used < end - start) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#slabMemory = this.#slab.buffer
      this.#used = 0
    }
    const stop = Math.max(end, Math.min(this.#limit, start + SLAB_BYTES - this.#used))
    this.#slab.set(this.view(start, stop), this.#used)
    this.#at = this.#used
    this.#start = start
    this.#end = stop
    this.#used += stop - start
  }
}
