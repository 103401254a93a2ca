const FIRST_CAPACITY = 512
/** Of memory: what the kernel gives at a time. */
const PAGE = 4096

/**
 * A message that did not come in one piece, being put together.
 *
 * Of a fragmented message nobody knows the end, so its memory follows what has arrived, doubling, up to the message
 * limit: a million tiny fragments cost no more than one large message. A frame that ends its message has announced
 * how much is to come (the codec has compared that with the limit): then the buffer is made to measure, and a long
 * message in one frame is copied once. The kernel gives pages of a large buffer only as they are written to, so a
 * frame that announces much and brings little takes address space, not memory.
 */
export class MessageBuffer {
  #bytes: Buffer
  #used = 0

  /**
   * @param expected bytes of the first frame, as announced; compared with the limit already
   * @param final the first frame is the message's only one
   */
  constructor(expected: number, final: boolean) {
    // Slow: a slice of Node's shared pool would pin 8 KiB for as long as the peer likes. The pages of a large one
    // are the kernel's until they are written to.
    this.#bytes = Buffer.allocUnsafeSlow(
      final ? expected : Math.min(Math.max(expected, FIRST_CAPACITY), 64 * 1024),
    )
  }

  /**
   * @param source memory that has the bytes from `start` to `end`
   * @param rest bytes of this frame that are still to come
   * @param final this frame is the message's last, so nothing follows `rest`
   * @param limit the largest size that the message may get
   */
  append(source: Buffer, start: number, end: number, rest: number, final: boolean, limit: number): void {
    const used = this.#used + end - start
    if (used + (final ? rest : 0) > this.#bytes.length) {
      const capacity = final
        ? used + rest
        : Math.min(Math.max(used, this.#bytes.length * 2), Math.max(limit, used))
      const bytes = Buffer.allocUnsafeSlow(capacity)
      this.#bytes.copy(bytes, 0, 0, this.#used)
      this.#bytes = bytes
    }
    source.copy(this.#bytes, this.#used, start, end)
    this.#used = used
  }

  /** Bytes of memory that it takes: pages that were written to. */
  get memory(): number {
    return Math.min(this.#bytes.length, Math.ceil(this.#used / PAGE) * PAGE)
  }

  /** The message. It is the caller's: nothing is appended any more. */
  take(): Buffer {
    return this.#used === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#used)
  }
}
