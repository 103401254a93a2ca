import { isDeepStrictEqual } from 'node:util'
import { EVENT_ERROR, EVENT_OPCODE, EVENT_WORDS } from '../codec/events.js'

/** As Node's own pool: what keeping one small message may pin. */
const SLAB_BYTES = 8192
/** Longer messages get a buffer of their own. */
const MOST_SHARED = SLAB_BYTES / 2

/**
 * A Buffer made by its constructor. `Buffer.from(memory, ...)` and `subarray` take two to three times as long, for
 * arguments they check (33 against 65 to 110 ns on Node 20 and 26). Where Node tells the prototypes apart the long
 * way is taken, so that an application can't see the difference.
 */
class FastBuffer extends Uint8Array<ArrayBuffer> {}
Object.setPrototypeOf(FastBuffer.prototype, Buffer.prototype)
FastBuffer.prototype.constructor = Buffer

const isTransparent = isDeepStrictEqual(new FastBuffer(new ArrayBuffer(1), 0, 1), Buffer.alloc(1))

function bufferOf(memory: ArrayBuffer, start: number, length: number): Buffer {
  return isTransparent
    ? (new FastBuffer(memory, start, length) as Buffer)
    : Buffer.from(memory, start, length)
}

/** A view of the codec's memory, valid until the next read. */
export function viewOf(memory: Buffer, start: number, end: number): Buffer {
  return bufferOf(memory.buffer as ArrayBuffer, memory.byteOffset + start, end - start)
}

/**
 * The copies of binary messages that the application may keep. All small messages of a read are copied together, in
 * one call, into a slab that they share with those of other reads: what a message of its own costs is the `Buffer`.
 */
export class PayloadCopies {
  readonly #memory: Buffer
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #used = 0
  /** What of the codec's memory is in the slab already: this stretch, from `#at` on. */
  #start = 0
  #end = 0
  #at = 0
  /** Where the last payload of the read ends. */
  #limit = 0

  /** @param memory of the codec */
  constructor(memory: Buffer) {
    this.#memory = memory
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

  /** A copy of the bytes from `start` to `end` of the codec's memory. */
  copy(start: number, end: number): Buffer {
    const length = end - start
    if (length > MOST_SHARED) {
      const own = Buffer.allocUnsafeSlow(length)
      this.#memory.copy(own, 0, start, end)
      return own
    }
    if (end > this.#end || start < this.#start) this.#copyStretch(start, end)
    return bufferOf(this.#slab.buffer, this.#at + start - this.#start, length)
  }

  #copyStretch(start: number, end: number): void {
    if (SLAB_BYTES - this.#used < end - start) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#used = 0
    }
    const stop = Math.max(end, Math.min(this.#limit, start + SLAB_BYTES - this.#used))
    this.#memory.copy(this.#slab, this.#used, start, stop)
    this.#at = this.#used
    this.#start = start
    this.#end = stop
    this.#used += stop - start
  }
}
