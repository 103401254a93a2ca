import type { CodecMemory } from '../codec/codec.js'
import type { Transport } from './transport.js'

/** Bytes of frames that may come while the `upgrade` hook is pending; then reading stands still. */
const MOST_BYTES = 64 * 1024

/** Frames that come before the response to the opening request: bytes that wait for the application's decision. */
export class EarlyFrames {
  readonly #transport: Transport
  readonly #pieces: Buffer[] = []
  #length = 0

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Keeps what is at `start` to before `end` of the codec's memory. */
  keep(memory: CodecMemory, start: number, end: number): void {
    if (start === end) return
    this.#pieces.push(Buffer.from(memory.subarray(start, end)))
    this.#length += end - start
    if (this.#length >= MOST_BYTES) this.#transport.pause()
  }

  /** The decision is made: reading goes on. */
  end(): void {
    if (this.#length >= MOST_BYTES) this.#transport.resume()
  }

  /** Puts all of them into the codec's memory at `offset`, one after the other, and has the owner receive them. */
  deliver(memory: CodecMemory, offset: number): void {
    for (const bytes of this.#pieces) {
      memory.set(bytes, offset)
      this.#transport.owner.receive(bytes.length)
    }
  }
}
