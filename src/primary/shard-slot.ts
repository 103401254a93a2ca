import { Counter, closeCounter, count, type Ledger, MAX_CONNECTIONS_PER_SHARD } from '../ledger.js'
import { CloseCode } from '../rfc6455.js'
import type { TcpHandle } from '../tcp-handle.js'
import type { Admission } from './admission.js'
import type { Candidate } from './balance.js'
import type { ShardProcess } from './shard-process.js'

/**
 * - `starting`: its application is being loaded;
 * - `ready`: it takes connections;
 * - `waiting`: it failed, and is started again in a while;
 * - `stopping`: it takes no more connections, and ends with the last of them;
 * - `stopped`
 */
export type ShardState = 'starting' | 'ready' | 'waiting' | 'stopping' | 'stopped'

/** What is counted of one shard, or of all. Counts go on when a shard is replaced. */
export interface Traffic {
  /** Sockets that are there: WebSocket connections, opening handshakes and plain HTTP. */
  sockets: number
  /** Opening handshakes in progress, those of TLS among them, from accepting the connection on. */
  handshakes: number
  /** Sockets there ever were. */
  socketsTotal: number
  /** WebSocket connections that are open. */
  connections: number
  /** WebSocket connections ever opened. */
  connectionsTotal: number
  /** Opening requests that were refused with an HTTP status. */
  handshakesRefused: number
  /** Requests of plain HTTP that were too long, too slow or not HTTP, where the connection's first one was not. */
  httpRequestsRefused: number
  /** Requests of plain HTTP that were refused since their client, behind a proxy, had `maxConnectionsPerIp`. */
  httpClientsRefused: number
  /** Connections of plain HTTP that ended with their `maxHttpRequests`th request. */
  httpSpentClosed: number
  /** Connections of plain HTTP that brought no other request within `httpKeepAliveMs`. */
  httpIdleClosed: number
  /** Opening handshakes that were not read from until your `upgrade` hook had decided: 64 KiB of frames had come. */
  earlyFramesHeld: number
  /** TLS handshakes that were begun and did not come to their end. */
  tlsHandshakesFailed: number
  messagesIn: number
  messagesOut: number
  /** Bytes on the wire: handshakes and frames. */
  bytesIn: number
  bytesOut: number
  /** Bytes that clients make it hold, of `maxMemory`. */
  pinnedBytes: number
  /** Times that somebody did not get memory, since all shards held `maxMemory`. */
  memoryRefused: number
  /** Times that a client sent more than it may in a second. */
  rateLimited: number
  /** Messages that `send` did not accept. */
  messagesDropped: number
  /** Pings that were not answered since a later one was waiting already. */
  pongsSkipped: number
}

export interface ShardStats extends Traffic {
  index: number
  state: ShardState
  /** How often it was started again. */
  restarts: number
  /** Connections on their way to it. */
  inFlight: number
  /** Milliseconds by which its event loop was late, mean of the last second. */
  eventLoopDelayMs: number
}

/** Counters that say what is there now, which is nothing when the shard has ended. */
const GAUGES = [
  Counter.LOOP_DELAY_MS,
  Counter.LOOP_DELAY_MAX_MS,
  Counter.HEAP_USED,
  Counter.HEAP_SIZE,
  Counter.HEAP_LIMIT,
  Counter.SEND_QUEUE,
  Counter.PINNED,
  Counter.ZLIB_STREAMS,
]

/** What `Counter.READY` is. */
const READY_VALUES: Record<ShardState, number> = {
  starting: 0,
  ready: 1,
  waiting: 0,
  stopping: 2,
  stopped: 0,
}

/** The place of one shard, which lives on when the shard itself is replaced or reloaded, as its counters do. */
export class ShardSlot implements Candidate {
  readonly index: number
  /** Among all slots of the server, by which `Admission` knows it: several have the same index. */
  readonly #place: number
  connections = 0
  readonly #admission: Admission
  readonly #ledger: Ledger
  #state: ShardState = 'waiting'
  #process: ShardProcess | undefined
  /** Connections ever handed over: of those beyond `Counter.HANDSHAKES_OVER` the opening handshake is in progress. */
  #handedOver: number

  constructor(index: number, place: number, admission: Admission, ledger: Ledger) {
    this.index = index
    this.#place = place
    this.#admission = admission
    this.#ledger = ledger
    this.#handedOver = ledger.counters[Counter.ADOPTED]
  }

  get process(): ShardProcess | undefined {
    return this.#process
  }

  get state(): ShardState {
    return this.#state
  }

  set state(state: ShardState) {
    this.#state = state
    this.#ledger.counters[Counter.READY] = READY_VALUES[state]
  }

  get takes(): boolean {
    return this.#state === 'ready' && this.connections < MAX_CONNECTIONS_PER_SHARD
  }

  /** Opening handshakes in progress, from accepting the connection on. */
  get handshakes(): number {
    return this.#handedOver - this.#count(Counter.HANDSHAKES_OVER)
  }

  /** A new life begins. */
  begin(launch: (ledger: Ledger) => ShardProcess): ShardProcess {
    this.#process = launch(this.#ledger)
    this.state = 'starting'
    return this.#process
  }

  /** The life is over: what was admitted to it has ended. */
  end(): void {
    this.takeReleased()
    this.#admission.releaseAll(this.#place)
    this.connections = 0
    this.#process = undefined

    const { counters } = this.#ledger
    // What it could not count any more.
    const cut = counters[Counter.OPENED] - counters[Counter.CLOSED]
    count(counters, closeCounter(CloseCode.ABNORMAL), cut)
    counters[Counter.ENDED] = counters[Counter.ADOPTED]
    this.#handedOver = counters[Counter.ADOPTED]
    counters[Counter.HANDSHAKES_OVER] = counters[Counter.ADOPTED]
    counters[Counter.CLOSED] = counters[Counter.OPENED]
    for (const gauge of GAUGES) counters[gauge] = 0
  }

  /** The life's end was a failure, after the start of the server. */
  countCrash(): void {
    count(this.#ledger.counters, Counter.CRASHES)
  }

  /** The next life begins after a failure. */
  countRestart(): void {
    count(this.#ledger.counters, Counter.RESTARTS)
  }

  /** Hands over a connection. See `HandoffLine.send`. */
  handOver(handle: TcpHandle, key: string): boolean {
    const admission = this.#admission.admit(key, this.#place)
    this.connections++
    this.#handedOver++
    if (this.#process?.send(handle, admission)) return true
    this.#handedOver--
    this.#release(admission)
    return false
  }

  /** Learns which connections have ended. */
  takeReleased(): void {
    for (;;) {
      const admission = this.#ledger.takeReleased()
      if (admission < 0) return
      this.#release(admission)
    }
  }

  stats(): ShardStats {
    this.takeReleased()
    const sockets = this.#count(Counter.ADOPTED) - this.#count(Counter.ENDED)
    return {
      index: this.index,
      state: this.#state,
      restarts: this.#count(Counter.RESTARTS),
      inFlight: Math.max(0, this.connections - sockets),
      eventLoopDelayMs: this.#count(Counter.LOOP_DELAY_MS),
      sockets,
      handshakes: this.handshakes,
      socketsTotal: this.#count(Counter.ADOPTED),
      connections: this.#count(Counter.OPENED) - this.#count(Counter.CLOSED),
      connectionsTotal: this.#count(Counter.OPENED),
      handshakesRefused: this.#count(Counter.REFUSED),
      httpRequestsRefused: this.#count(Counter.HTTP_REFUSED),
      httpClientsRefused: this.#count(Counter.HTTP_TOO_MANY),
      httpSpentClosed: this.#count(Counter.HTTP_SPENT),
      httpIdleClosed: this.#count(Counter.HTTP_IDLE),
      earlyFramesHeld: this.#count(Counter.EARLY_HELD),
      tlsHandshakesFailed: this.#count(Counter.TLS_FAILED),
      messagesIn: this.#count(Counter.MESSAGES_IN),
      messagesOut: this.#count(Counter.MESSAGES_OUT),
      bytesIn: this.#count(Counter.BYTES_IN),
      bytesOut: this.#count(Counter.BYTES_OUT),
      pinnedBytes: this.#count(Counter.PINNED) + this.#count(Counter.SEND_QUEUE),
      memoryRefused: this.#count(Counter.MEMORY_REFUSED),
      rateLimited: this.#count(Counter.RATE_LIMITED),
      messagesDropped: this.#count(Counter.DROPPED),
      pongsSkipped: this.#count(Counter.PONGS_SKIPPED),
    }
  }

  #release(admission: number): void {
    if (this.#admission.release(admission, this.#place)) this.connections--
  }

  #count(counter: number): number {
    return this.#ledger.counters[counter]
  }
}
