/**
 * What a shard and the primary tell each other without a message: counters in shared memory, read by anyone; and a
 * ring through which the shard gives back the admission numbers of ended connections.
 *
 * Counters are doubles: whole numbers to 2^53, one aligned store each, no BigInt. Each is written by one thread, so
 * none is atomic. They go on where a shard is replaced, so that nobody sees one fall.
 */

/** Index of each counter of a shard. */
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
  /** As `LOOP_DELAY_MS`, the most. */
  LOOP_DELAY_MAX_MS: 12,
  /** Bytes of the shard's heap, a second ago at most: in use, reserved, and what it may come to. */
  HEAP_USED: 13,
  HEAP_SIZE: 14,
  HEAP_LIMIT: 15,
  /** Bytes that wait for peers that do not read. */
  SEND_QUEUE: 16,
  /** Connections given to HTTP. */
  HTTP: 17,
  /**
   * Of the primary: ends that nobody asked for, starts after those, and 1 while the shard takes connections, 2 while it
   * takes no more and has not ended.
   */
  CRASHES: 18,
  RESTARTS: 19,
  READY: 20,
  /** TLS handshakes that were begun and did not come to their end. */
  TLS_FAILED: 21,
  /** WebSocket connections opened with permessage-deflate. */
  COMPRESSING: 22,
  /** Messages that were sent compressed. */
  DEFLATED: 23,
  /** The first of `CLOSE_CODES.length`: connections closed, by code. */
  CLOSES: 24,
  /** Bytes of the messages that were sent compressed: as they were, and as they went. */
  DEFLATE_INPUT: 42,
  DEFLATE_OUTPUT: 43,
  /** Compressed messages received, and their bytes: as they came, and as they were delivered. */
  INFLATED: 44,
  INFLATE_INPUT: 45,
  INFLATE_OUTPUT: 46,
  /** Streams of zlib that there are, a second ago at most. */
  ZLIB_STREAMS: 47,
  /** The first of `MAX_REFUSALS`: opening requests refused, by reason. */
  REFUSALS: 48,
  /**
   * Opening handshakes that are over, less those that HTTP began again. One number, so that there is no moment at which
   * a connection that gets from the primary to the shard counts twice or not at all: what the primary has handed over,
   * or `ADOPTED`, without these are in progress, those of TLS among them.
   */
  HANDSHAKES_OVER: 118,
  /** Bytes that peers make the shard hold, those of `SEND_QUEUE` left out. */
  PINNED: 119,
  /** Times that somebody was not given memory since all shards together held `maxMemory`. */
  MEMORY_REFUSED: 120,
  /** Times that a peer sent more than it may a second. */
  RATE_LIMITED: 121,
  /** Requests of plain HTTP that were too long, too slow or not HTTP. */
  HTTP_REFUSED: 122,
  /** Opening handshakes that were not read from for a while, since so many frames came before the decision. */
  EARLY_HELD: 123,
  /** Connections of plain HTTP that ended since no request came in time, and since they had brought as many as they may. */
  HTTP_IDLE: 124,
  HTTP_SPENT: 125,
  /** Requests of plain HTTP that were refused since their client, whom a proxy names, had as many connections as it may. */
  HTTP_TOO_MANY: 126,
  /** Compressed messages that waited for another turn of the event loop. */
  POSTPONED: 127,
  /** The first of `LIMITS.length`: connections that ended since they reached a limit. */
  LIMITS: 128,
} as const

/** What closes are counted by: a client may choose one of 2000 codes, but not how many counters there are. */
export const CLOSE_CODES: readonly string[] = [
  ...Array.from({ length: 16 }, (_, index) => String(1000 + index)),
  '3xxx',
  '4xxx',
]

/** The counter of closes with `code`. */
export function closeCounter(code: number): number {
  if (code >= 1000 && code <= 1015) return Counter.CLOSES + code - 1000
  return Counter.CLOSES + (code < 4000 ? 16 : 17)
}

/** Limits that end a connection, where neither a close code nor a counter of its own says which. */
export const LIMITS = [
  'max_payload',
  'max_fragments',
  'max_backpressure',
  'idle_timeout',
  'close_timeout',
] as const

export type Limit = (typeof LIMITS)[number]

/** Counts a connection that ends since it has reached `limit`. */
export function countLimit(counters: Float64Array, limit: Limit): void {
  count(counters, Counter.LIMITS + LIMITS.indexOf(limit))
}

/** Room for the reasons to refuse an opening request. */
export const MAX_REFUSALS = 40

/** Where a histogram is among the counters: one for each bucket, one for what is above, and the sum. */
export interface HistogramCells {
  readonly first: number
  /** The buckets' upper bounds, in seconds. */
  readonly bounds: readonly number[]
}

export const Histogram = {
  /** From an idle connection's Ping to its Pong. */
  PING: {
    first: Counter.REFUSALS + MAX_REFUSALS,
    bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  /** From accepting a connection to its adoption by the shard. */
  HANDOFF: {
    first: Counter.REFUSALS + MAX_REFUSALS + 15,
    bounds: [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  },
} as const satisfies Record<string, HistogramCells>

/** Index of each counter of the primary. */
export const PrimaryCounter = {
  /** When the server was started, in seconds since 1970. */
  STARTED_AT: 0,
  /** One of `Phase`. */
  PHASE: 1,
  /** Connections accepted, the refused ones included. */
  ACCEPTED: 2,
  /** Connections that the system could not give to the process. */
  ACCEPT_ERRORS: 3,
  /** The first of `DENIALS.length`: connections closed at once, by reason. */
  DENIED: 4,
  /** `maxMemory`, in bytes. */
  MEMORY_LIMIT: 12,
  /** Reloads whose new shards took over, and those that failed. */
  RELOADS: 24,
  RELOADS_FAILED: 25,
} as const

/** What a server goes through. */
export const Phase = { STARTING: 0, SERVING: 1, STOPPING: 2 } as const

/** Why a connection is closed as soon as it is accepted. */
export const DENIALS = [
  'maxConnections',
  'maxConnectionsPerIp',
  'maxHandshakes',
  'maxHandshakeRatePerIp',
  'noShard',
  'handoff',
] as const

const PRIMARY_COUNTERS = 32

/** Shared memory for the counters of a primary. */
export function createPrimaryCounters(): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(PRIMARY_COUNTERS * 8))
}

/** The counters of a server, by whatever thread they are looked at. */
export interface Board {
  /** Of `PrimaryCounter`. */
  readonly primary: Float64Array<SharedArrayBuffer>
  /** How many shards a generation has. */
  readonly workers: number
  /**
   * Of `Counter`: of a row of `workers` shards, of the next row, and so on. Generations take turns with the rows, so
   * that every thread sees them all from its start and no counter ever falls. Those of shard `i` are at `i`,
   * `i + workers`, `i + 2 * workers`, ...
   */
  readonly shards: readonly Float64Array<SharedArrayBuffer>[]
}

/** Adds to a counter of this thread's own ledger. */
export function count(counters: Float64Array, counter: number, amount = 1): void {
  counters[counter] = counters[counter] + amount
}

/** Counts `times` values of `seconds` in a histogram of this thread's own ledger. */
export function observe(
  counters: Float64Array,
  { first, bounds }: HistogramCells,
  seconds: number,
  times = 1,
): void {
  let bucket = 0
  while (bucket < bounds.length && seconds > bounds[bucket]) bucket++
  count(counters, first + bucket, times)
  count(counters, first + bounds.length + 1, seconds * times)
}

const COUNTERS = 160
/** Connections a shard may hold: what the ring has room for (a power of two), and what the codec has slots for. */
export const MAX_CONNECTIONS_PER_SHARD = 131_072

const RING_OFFSET = COUNTERS * 8 + 8
const HEAD = 0
const TAIL = 1

export class Ledger {
  readonly memory: SharedArrayBuffer
  readonly counters: Float64Array<SharedArrayBuffer>
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
