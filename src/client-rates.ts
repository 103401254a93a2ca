import { hashKey, rehash } from './client-key.js'

/** What a client that has been away may open at once, in milliseconds' worth. */
const BURST_MS = 10_000

/** In each of two rows; a power of two. Together they take 1 MiB, whatever comes. */
const CELLS = 2 ** 16

/**
 * How fast each client opens connections: a token bucket, filled at a rate, of ten seconds' worth. The memory is shared:
 * the primary asks for those who connect themselves, shards for those whom proxies name.
 *
 * A bucket is one number, when it will be full again. Clients are told apart by a hash of their key, each with a cell in
 * two rows, of which the fuller one counts: a client is refused for others only where others have emptied both its cells,
 * which takes many of them. There is nothing to grow, to sweep, or to be pushed out of.
 *
 * Cells are written without atomics. Where two threads write one at the same time a client gets a connection more.
 */
export class ClientRates {
  readonly facts: ClientRatesFacts
  /** By cell: when the bucket will be full again, in milliseconds of the callers' clock. */
  readonly #fullMs: Float64Array
  readonly #intervalMs: number

  /** @param facts those of another thread's, to share its memory */
  constructor(facts: ClientRatesFacts) {
    this.facts = facts
    this.#fullMs = new Float64Array(facts.memory)
    this.#intervalMs = 1000 / facts.perSecond
  }

  /**
   * @param perSecond connections of one client, 1 at least
   * @param seed so that nobody knows which addresses share cells
   */
  static create(perSecond: number, seed: number): ClientRates {
    return new ClientRates({ memory: new SharedArrayBuffer(2 * CELLS * 8), perSecond, seed })
  }

  /**
   * Counts a connection.
   *
   * @param key made by `clientKey`
   * @param nowMs of a clock that all threads share
   * @returns false when the client has opened as many as it may; this one does not count then
   */
  take(key: string, nowMs: number): boolean {
    const cells = this.#fullMs
    const hash = hashKey(key, this.facts.seed)
    const first = hash & (CELLS - 1)
    const second = CELLS + (rehash(hash) & (CELLS - 1))
    const fullMs = Math.max(nowMs, Math.min(cells[first], cells[second])) + this.#intervalMs
    // Some thousandths more, since intervals do not add up exactly.
    if (fullMs - nowMs > BURST_MS + this.#intervalMs / 2) return false
    // Others may have emptied one of them further.
    if (cells[first] < fullMs) cells[first] = fullMs
    if (cells[second] < fullMs) cells[second] = fullMs
    return true
  }
}

/** What another thread needs to share the rates. */
export interface ClientRatesFacts {
  readonly memory: SharedArrayBuffer
  readonly perSecond: number
  readonly seed: number
}
