const FIRST_CAPACITY = 512

/**
 * A payload that does not come in one piece, being put together.
 *
 * Its memory follows what has arrived, doubling, whatever a header has announced: who announces the limit and sends
 * nothing takes nothing. How much it may become is the codec's to watch (`maxPayload`).
 */
export class PayloadBuffer {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array()
  #used = 0

  /** Bytes of memory it takes. */
  get capacity(): number {
    return this.#bytes.length
  }

  /** @param rest how many bytes are known to follow; with `final` no others will */
  append(piece: Uint8Array, rest: number, final: boolean): void {
    const used = this.#used + piece.length
    if (used > this.#bytes.length) {
      const wanted = Math.max(FIRST_CAPACITY, used, this.#bytes.length * 2)
      const bytes = new Uint8Array(final ? Math.min(wanted, used + rest) : wanted)
      bytes.set(this.#bytes.subarray(0, this.#used))
      this.#bytes = bytes
    }
    this.#bytes.set(piece, this.#used)
    this.#used = used
  }

  /** The payload, in memory that nobody else has; nothing is appended any more. */
  take(): Uint8Array<ArrayBuffer> {
    // A copy where there is slack, so that what is kept, or transferred, is no larger than what came.
    return this.#used === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#used)
  }
}
