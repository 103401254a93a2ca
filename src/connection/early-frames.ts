import type { CodecMemory } from '../codec/codec.js'
import { Counter, count } from '../ledger.js'
import type { MemoryBudget } from './memory-budget.js'
import type { Transport } from './transport.js'

/** Bytes of frames that may come while the `upgrade` hook is pending; then reading stands still. */
const MOST_BYTES = 64 * 1024

/** Frames that come before the response to the opening request: bytes that wait for the application's decision. */
export class EarlyFrames {
  readonly #transport: Transport
  readonly #memory: MemoryBudget
  readonly #counters: Float64Array
  readonly #pieces: Buffer[] = []
  #length = 0

  constructor(transport: Transport, memory: MemoryBudget, counters: Float64Array) {
    this.#transport = transport
    this.#memory = memory
    this.#counters = counters
  }

  /**
   * Keeps what is at `start` to before `end` of the codec's memory.
   *
   * @returns false when there is no memory for it
   */
  keep(memory: CodecMemory, start: number, end: number): boolean {
    if (start === end) return true
    this.#pieces.push(Buffer.from(memory.subarray(start, end)))
    const before = this.#length
    this.#length += end - start
    if (this.#length >= MOST_BYTES) {
      if (before < MOST_BYTES) count(this.#counters, Counter.EARLY_HELD)
      this.#transport.pause()
    }
    return this.#memory.resize(before, this.#length)
  }

  /** The decision is made, or not needed any more: reading goes on. To be called once. */
  end(): void {
    if (this.#length >= MOST_BYTES) this.#transport.resume()
    this.#memory.resize(this.#length, 0)
  }

  /** Puts all of them into the codec's memory at `offset`, one after the other, and has the owner receive them. */
  deliver(memory: CodecMemory, offset: number): void {
    for (const bytes of this.#pieces) {
      memory.set(bytes, offset)
      this.#transport.owner.receive(bytes.length)
    }
  }
}
