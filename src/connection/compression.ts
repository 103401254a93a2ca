import type { Codec } from '../codec/codec.js'
import type { DeflateOptions } from '../options.js'
import { type Deadlines, Timed } from './deadlines.js'
import { InflateHistory } from './inflate-history.js'
import { InflateTurns } from './inflate-turns.js'
import type { MemoryBudget } from './memory-budget.js'
import { ZlibPool } from './zlib-pool.js'
import { createDeflater, createInflater, type ZlibStream } from './zlib-stream.js'

/** Inflating streams of a shard. One that is missing costs 4 us at most: its owner's history is told to another. */
const MOST_INFLATERS = 64
/** A stream that was not used for this long, and at most twice as long, is closed. */
const UNUSED_MS = 15_000
/** What most messages are compressed to, or less. */
const SMALL_OUTPUT = 64 * 1024

/** What all connections of a shard that compress share: zlib's streams and room to work in. */
export class Compression extends Timed {
  readonly options: DeflateOptions
  readonly codec: Codec
  readonly maxPayload: number
  readonly memory: MemoryBudget
  /** Of the shard's `Ledger`. */
  readonly counters: Float64Array
  readonly inflaters: ZlibPool
  readonly deflaters: ZlibPool
  readonly inflateTurns = new InflateTurns()
  /** Of the message that is being inflated, where a peer's messages don't refer to those before. */
  readonly messageHistory = new InflateHistory(15)
  readonly #deadlines: Deadlines
  readonly #output = Buffer.allocUnsafeSlow(SMALL_OUTPUT)
  #armed = false

  constructor(
    options: DeflateOptions,
    codec: Codec,
    maxPayload: number,
    deadlines: Deadlines,
    counters: Float64Array,
    memory: MemoryBudget,
  ) {
    super()
    const { level, memLevel, maxContexts } = options
    this.options = options
    this.codec = codec
    this.maxPayload = maxPayload
    this.counters = counters
    this.memory = memory
    this.inflaters = new ZlibPool(MOST_INFLATERS, memory, createInflater)
    const create = (windowBits: number): ZlibStream => createDeflater(windowBits, level, memLevel)
    this.deflaters = new ZlibPool(maxContexts, memory, create)
    this.#deadlines = deadlines
    // Here, where the server starts, and not when a client's first message comes, a Node without them is to be noticed.
    for (const stream of [createInflater(15), createDeflater(15, level, memLevel)]) stream.close()
  }

  /** How many streams of zlib there are. */
  get streams(): number {
    return this.inflaters.size + this.deflaters.size
  }

  /** Room for `length` bytes, anybody's again at the next call. */
  output(length: number): Buffer {
    return length <= SMALL_OUTPUT ? this.#output : Buffer.allocUnsafeSlow(length)
  }

  /** A stream is in use: what is not used any more will be closed. */
  touch(): void {
    if (this.#armed) return
    this.#armed = true
    this.#deadlines.set(this, UNUSED_MS)
  }

  expire(): void {
    this.inflaters.closeUnused()
    this.deflaters.closeUnused()
    this.#armed = false
    if (this.streams > 0) this.touch()
  }

  /** The shard ends. */
  close(): void {
    this.#deadlines.drop(this)
    this.inflaters.close()
    this.deflaters.close()
  }
}
