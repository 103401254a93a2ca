import type { DeflateAgreement } from '../handshake/deflate.js'
import { Counter, count } from '../ledger.js'
import type { Compression } from './compression.js'
import { asBytes } from './payload.js'
import { SYNC_FLUSH } from './zlib-stream.js'

/** 00 00 FF FF, which is not sent (RFC 7692 7.2.1). */
const TAIL_LENGTH = 4

/** What a message may grow by where it is sent compressed all the same, for the sake of those after it. */
const MOST_GROWTH = 16

/**
 * Our messages of one connection, compressed. Where they may refer to those before (context take-over), the connection
 * has a stream of zlib's for as long as it uses it more than others; a stream that knows nothing is no fault (RFC 7692
 * 7.1.1.1 allows to refer, it does not demand it).
 */
export class MessageDeflater {
  readonly #compression: Compression
  readonly #windowBits: number
  readonly #takesOver: boolean

  constructor(compression: Compression, agreement: DeflateAgreement) {
    this.#compression = compression
    this.#windowBits = agreement.serverMaxWindowBits
    this.#takesOver = !agreement.serverNoContextTakeover
  }

  /** The connection has ended. */
  release(): void {
    this.#compression.deflaters.release(this)
  }

  /**
   * Whether a message is worth it.
   *
   * @param wanted what `send` was told; by default the threshold decides
   */
  takes(data: string | ArrayBufferLike | ArrayBufferView, wanted: boolean | undefined): boolean {
    if (wanted !== undefined) return wanted
    const { threshold } = this.#compression.options
    // A character takes one byte at least, so most strings need not be measured.
    if (typeof data === 'string') return data.length >= threshold || Buffer.byteLength(data) >= threshold
    return asBytes(data).length >= threshold
  }

  /** The longest that `length` bytes become. */
  mostLength(length: number): number {
    return this.#takesOver ? length + MOST_GROWTH : length
  }

  /**
   * @returns what to send, anybody's again at the next call; undefined where the message is better sent as it is.
   *   What is returned must be sent: the messages after it may refer to it
   */
  deflate(bytes: Uint8Array): Uint8Array | undefined {
    const { length } = bytes
    if (length === 0) return undefined
    const { deflaters } = this.#compression
    this.#compression.touch()
    const stream = deflaters.find(this) ?? deflaters.assign(this, this.#windowBits)
    const room = this.mostLength(length) + TAIL_LENGTH
    const output = this.#compression.output(room)
    stream.write(SYNC_FLUSH, bytes, 0, length, output, 0, room)
    const isTooLong = stream.room === 0 || stream.failed
    // The peer will not see what the stream has seen.
    if (isTooLong || !this.#takesOver) this.release()
    if (isTooLong) return undefined
    const deflated = output.subarray(0, room - stream.room - TAIL_LENGTH)
    const { counters } = this.#compression
    count(counters, Counter.DEFLATED)
    count(counters, Counter.DEFLATE_INPUT, length)
    count(counters, Counter.DEFLATE_OUTPUT, deflated.length)
    return deflated
  }
}
