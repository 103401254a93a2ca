import { type Board, Counter, count } from '../ledger.js'
import type { Log, OccasionalWarning } from '../log.js'
import { createOccasionalWarning } from '../log.js'
import type { Budget } from '../protocol/budget.js'

/** What one holder gets however little is left, in bytes: a page. */
export const SMALL_HOLDING = 4096

/** One of so many parts is not for new connections. */
const RESERVE = 16

/**
 * The memory that peers make all shards of the process hold: parts of messages and of requests, what waits for peers
 * that do not read, what compression refers to. Every shard adds up its own in its ledger, which the primary clears when
 * a shard has ended, and looks at those of the others where somebody's holding grows beyond a page: never for a message
 * that comes whole and an answer that leaves at once.
 *
 * Nothing is reserved: a frame may announce much and bring little. Shards that ask in the same microsecond may each be
 * told that there is room.
 */
export class MemoryBudget implements Budget {
  readonly #counters: Float64Array
  readonly #shards: Board['shards']
  readonly #limit: number
  readonly #warn: OccasionalWarning

  /**
   * @param counters of this shard
   * @param shards those of all
   * @param limit bytes for all of them (`maxMemory`)
   */
  constructor(counters: Float64Array, shards: Board['shards'], limit: number, log: Log) {
    this.#counters = counters
    this.#shards = shards
    this.#limit = limit
    this.#warn = createOccasionalWarning((text, facts) => log('warn', text, undefined, facts))
  }

  /** Has `bytes` more, or less, of what has a bound of its own and is not asked for. */
  add(bytes: number): void {
    count(this.#counters, Counter.PINNED, bytes)
  }

  /** What waits for peers is not among it: the shard's `SEND_QUEUE` has that. */
  resize(before: number, after: number): boolean {
    this.add(after - before)
    return after <= before || after <= SMALL_HOLDING || this.hasRoom(0)
  }

  /** Whether another connection may be opened: what is left at the end is for those that are there. */
  admits(): boolean {
    return this.hasRoom(this.#limit / RESERVE)
  }

  /** Whether `bytes` more may be held. If not it is counted, and told: whoever asks must go without. */
  hasRoom(bytes: number): boolean {
    let sum = bytes
    for (const counters of this.#shards) sum += counters[Counter.PINNED] + counters[Counter.SEND_QUEUE]
    if (sum <= this.#limit) return true
    count(this.#counters, Counter.MEMORY_REFUSED)
    this.#warn(
      `clients are turned away: what they make the server hold is more than maxMemory, ${this.#limit}`,
      {
        event: 'memory.spent',
      },
    )
    return false
  }
}
