import { SYNC_FLUSH, type ZlibStream } from './zlib-stream.js'

const FIRST_CAPACITY = 1024

/** Header of a stored block, which says its length twice (RFC 1951 3.2.4). */
const stored = Buffer.alloc(5)

/**
 * The last bytes of what a peer has said, as many as its next message may refer to: all that one message has of those
 * before (RFC 7692 7.2.3.2). A stream of zlib that is told them goes on as one that has inflated them, so a connection
 * need not keep one.
 */
export class InflateHistory {
  /** Bytes that it keeps. */
  readonly most: number
  /** A ring once it has its full size. */
  #bytes: Buffer
  #length = 0
  /** Where the next byte goes. */
  #at = 0

  /** @param windowBits 8 to 15 */
  constructor(windowBits: number) {
    this.most = 2 ** windowBits
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(FIRST_CAPACITY, this.most))
  }

  /** Bytes that it takes. */
  get capacity(): number {
    return this.#bytes.length
  }

  append(source: Buffer, start: number, end: number): void {
    if (end - start > this.most) start = end - this.most
    const length = end - start
    const wanted = Math.min(this.#length + length, this.most)
    if (wanted > this.#bytes.length) this.#grow(wanted)
    const first = Math.min(length, this.#bytes.length - this.#at)
    source.copy(this.#bytes, this.#at, start, start + first)
    source.copy(this.#bytes, 0, start + first, end)
    this.#at = first === length ? this.#at + length : length - first
    this.#length = wanted
  }

  clear(): void {
    this.#length = this.#at = 0
  }

  /** Tells `stream`, which knows nothing, as a stored block. What it inflates to goes to `sink`. */
  prime(stream: ZlibStream, sink: Buffer, sinkOffset: number): void {
    const length = this.#length
    if (length === 0) return
    stored.writeUInt16LE(length, 1)
    stored.writeUInt16LE(~length & 0xffff, 3)
    stream.write(SYNC_FLUSH, stored, 0, stored.length, sink, sinkOffset, this.most)
    const start = length < this.#bytes.length ? 0 : this.#at % this.#bytes.length
    const bytes = this.#bytes
    stream.write(SYNC_FLUSH, bytes, start, length - start, sink, sinkOffset, this.most)
    if (start > 0) stream.write(SYNC_FLUSH, bytes, 0, start, sink, sinkOffset, this.most)
  }

  /** It has not wrapped yet: the bytes begin at 0. */
  #grow(wanted: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.min(Math.max(wanted, this.#bytes.length * 2), this.most))
    this.#bytes.copy(bytes, 0, 0, this.#length)
    this.#bytes = bytes
    this.#at = this.#length
  }
}
