import { hashKey, rehash } from './client-key.js'

/**
 * How many connections each client behind the proxies has, in memory that all threads share: a shard learns who a client
 * is and counts it, the primary takes that back when it learns of the connection's end, so that a shard that crashed has
 * nothing left in it.
 *
 * Clients are counted by a hash of their key, each in two cells, of which the smaller one counts (a count-min sketch):
 * never less than there are, and more only where others share both cells.
 */
export class ClientCounts {
  readonly facts: ClientCountsFacts
  /** By admission number: the hash of the client that was counted for it, 0 for none. */
  readonly #counted: Int32Array
  readonly #cells: Int32Array
  readonly #mask: number

  /** @param facts those of another thread's, to share its memory */
  constructor(facts: ClientCountsFacts) {
    this.facts = facts
    const cells = cellsOf(facts.capacity)
    this.#mask = cells - 1
    this.#counted = new Int32Array(facts.memory, 0, facts.capacity)
    this.#cells = new Int32Array(facts.memory, facts.capacity * 4, 2 * cells)
  }

  /**
   * @param limit connections of one client
   * @param capacity connections of all; admission numbers are below it
   * @param seed so that nobody knows which addresses share cells
   */
  static create(limit: number, capacity: number, seed: number): ClientCounts {
    // 20 to 36 bytes for each connection there may be.
    const memory = new SharedArrayBuffer(4 * (capacity + 2 * cellsOf(capacity)))
    return new ClientCounts({ memory, limit, capacity, seed })
  }

  /**
   * Shard: counts a connection of a client; once for each, however often it is asked.
   *
   * @param key made by `clientKey`
   * @returns false when the client has as many as it may; nothing is counted then
   */
  take(admission: number, key: string): boolean {
    if (this.#counted[admission] !== 0) return true
    const hash = hashKey(key, this.facts.seed)
    // Counted first, so that of two shards that do so at a time none goes past the limit.
    if (this.#add(hash, 1) > this.facts.limit) {
      this.#add(hash, -1)
      return false
    }
    this.#counted[admission] = hash
    return true
  }

  /** Primary: the connection has ended. */
  give(admission: number): void {
    const hash = this.#counted[admission]
    if (hash === 0) return
    this.#counted[admission] = 0
    this.#add(hash, -1)
  }

  /** @returns the count after it */
  #add(hash: number, amount: number): number {
    const first = hash & this.#mask
    const second = this.#mask + 1 + (rehash(hash) & this.#mask)
    const one = Atomics.add(this.#cells, first, amount) + amount
    const other = Atomics.add(this.#cells, second, amount) + amount
    return Math.min(one, other)
  }
}

/** What another thread needs to share the counts. */
export interface ClientCountsFacts {
  readonly memory: SharedArrayBuffer
  readonly limit: number
  readonly capacity: number
  readonly seed: number
}

/** Two to four for each connection there may be, a power of two. */
function cellsOf(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(2 * capacity))
}
