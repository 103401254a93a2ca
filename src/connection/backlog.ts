const SMALLEST_CHUNK = 1024
const LARGEST_CHUNK = 64 * 1024

/**
 * Bytes that wait for the peer: a queue of chunks. Small pieces are gathered in the last chunk, so that a million
 * small messages are not a million buffers.
 */
export class Backlog {
  /** Bytes that are waiting. */
  length = 0
  #chunks: Buffer[] = []
  /** How much of the last chunk is in use, where it has room left; else its length. */
  #lastUsed = 0

  /** Queues a copy of the bytes. */
  copy(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    const target = this.append(length)
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end))
  }

  /** Makes room for `length` bytes, which the caller fills at once. */
  append(length: number): Buffer {
    let last = this.#chunks[this.#chunks.length - 1]
    if (last === undefined || last.length - this.#lastUsed < length) {
      this.#trim()
      const grown = Math.min(Math.max(this.length, SMALLEST_CHUNK), LARGEST_CHUNK)
      last = Buffer.allocUnsafeSlow(Math.max(length, grown))
      this.#chunks.push(last)
      this.#lastUsed = 0
    }
    const start = this.#lastUsed
    this.#lastUsed = start + length
    this.length += length
    return last.subarray(start, this.#lastUsed)
  }

  /** Queues the bytes themselves; they must not change any more. */
  push(bytes: Buffer): void {
    this.#trim()
    this.#chunks.push(bytes)
    this.#lastUsed = bytes.length
    this.length += bytes.length
  }

  /** Takes the oldest bytes, at most `most`, as one piece. There must be some. */
  takePiece(most: number): Buffer {
    this.#trim()
    const chunk = this.#chunks.shift() as Buffer
    if (chunk.length > most) {
      this.#chunks.unshift(chunk.subarray(most))
      if (this.#chunks.length === 1) this.#lastUsed = chunk.length - most
    }
    const piece = chunk.length > most ? chunk.subarray(0, most) : chunk
    this.length -= piece.length
    return piece
  }

  /** Puts `chunk` before everything else. */
  unshift(chunk: Buffer): void {
    if (this.#chunks.length === 0) this.#lastUsed = chunk.length
    this.#chunks.unshift(chunk)
    this.length += chunk.length
  }

  /** Replaces the last chunk, which was pushed, by a copy. */
  ownLast(): void {
    const index = this.#chunks.length - 1
    const last = this.#chunks[index]
    if (last !== undefined) this.#chunks[index] = Buffer.from(last)
  }

  /** Up to `most` of the oldest chunks, for one gathered write. */
  peek(most: number): readonly Buffer[] {
    this.#trim()
    return this.#chunks.length <= most ? this.#chunks : this.#chunks.slice(0, most)
  }

  /** Forgets the first `length` bytes: they are written. */
  drop(length: number): void {
    this.#trim()
    this.length -= length
    let rest = length
    let whole = 0
    for (; whole < this.#chunks.length; whole++) {
      const chunk = this.#chunks[whole]
      if (chunk.length > rest) {
        if (rest > 0) this.#chunks[whole] = chunk.subarray(rest)
        break
      }
      rest -= chunk.length
    }
    this.#chunks.splice(0, whole)
    this.#lastUsed = this.#chunks[this.#chunks.length - 1]?.length ?? 0
  }

  /** Closes the last chunk: its unused end is cut off. */
  #trim(): void {
    const index = this.#chunks.length - 1
    const last = this.#chunks[index]
    if (last !== undefined && this.#lastUsed < last.length) {
      this.#chunks[index] = last.subarray(0, this.#lastUsed)
      this.#lastUsed = this.#chunks[index].length
    }
  }
}
