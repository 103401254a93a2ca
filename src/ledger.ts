/**
 * What a shard and the primary tell each other without a message: counters in shared memory, written by the shard
 * alone, read by anyone; and a ring through which the shard gives back the admission numbers of ended connections.
 *
 * Counters are doubles: whole numbers to 2^53, one aligned store each, no BigInt. One thread writes, so none is atomic.
 */

/** Index of each counter. */
export const Counter = {
  /** Sockets adopted. */
  ADOPTED: 0,
  /** Sockets ended. `ADOPTED - ENDED` are there now. */
  ENDED: 1,
  /** WebSocket connections opened. */
  OPENED: 2,
  /** WebSocket connections closed. */
  CLOSED: 3,
  /** Opening requests refused. */
  REFUSED: 4,
  MESSAGES_IN: 5,
  MESSAGES_OUT: 6,
  /** Bytes of frames and handshakes, as they are on the wire. */
  BYTES_IN: 7,
  BYTES_OUT: 8,
  /** Messages not accepted by `send`. */
  DROPPED: 9,
  /** Pings not answered since a later one was pending already. */
  PONGS_SKIPPED: 10,
  /** Milliseconds, mean of the last second, that the event loop was late. */
  LOOP_DELAY_MS: 11,
  /** TLS handshakes that were begun and did not come to their end. */
  TLS_FAILED: 12,
} as const

/** Adds to a counter of this thread's own ledger. */
export function count(counters: Float64Array, counter: number, amount = 1): void {
  counters[counter] = counters[counter] + amount
}

const COUNTERS = 16
/** Connections a shard may hold: what the ring has room for (a power of two), and what the codec has slots for. */
export const MAX_CONNECTIONS_PER_SHARD = 131_072

const RING_OFFSET = COUNTERS * 8 + 8
const HEAD = 0
const TAIL = 1

export class Ledger {
  readonly memory: SharedArrayBuffer
  readonly counters: Float64Array
  readonly #cursors: Int32Array
  readonly #ring: Int32Array

  /** @param memory that of another thread's ledger, to share it; by default a new one */
  constructor(memory = new SharedArrayBuffer(RING_OFFSET + MAX_CONNECTIONS_PER_SHARD * 4)) {
    this.memory = memory
    this.counters = new Float64Array(memory, 0, COUNTERS)
    this.#cursors = new Int32Array(memory, COUNTERS * 8, 2)
    this.#ring = new Int32Array(memory, RING_OFFSET, MAX_CONNECTIONS_PER_SHARD)
  }

  /**
   * Shard: the connection that was admitted as `admission` has ended. The ring cannot overflow: a shard holds at most
   * as many connections as it has room for, and a number is given out again only when it was taken from here.
   */
  release(admission: number): void {
    const head = Atomics.load(this.#cursors, HEAD)
    this.#ring[head & (MAX_CONNECTIONS_PER_SHARD - 1)] = admission
    Atomics.store(this.#cursors, HEAD, (head + 1) | 0)
  }

  /** Primary: takes the next released admission number, -1 if there is none. */
  takeReleased(): number {
    const tail = Atomics.load(this.#cursors, TAIL)
    if (tail === Atomics.load(this.#cursors, HEAD)) return -1
    const admission = this.#ring[tail & (MAX_CONNECTIONS_PER_SHARD - 1)]
    Atomics.store(this.#cursors, TAIL, (tail + 1) | 0)
    return admission
  }
}
