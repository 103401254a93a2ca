import type { Socket as NetSocket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { AddressSet } from '../address.js'
import type { App } from '../app.js'
import { Page } from '../built-in/page.js'
import { ClientCounts } from '../client-counts.js'
import { ClientRates } from '../client-rates.js'
import { Codec } from '../codec/codec.js'
import { Arrears } from '../connection/arrears.js'
import { Compression } from '../connection/compression.js'
import type { Connection } from '../connection/connection.js'
import { Deadlines } from '../connection/deadlines.js'
import type { Environment } from '../connection/environment.js'
import { HttpClients } from '../connection/http-clients.js'
import { MemoryBudget } from '../connection/memory-budget.js'
import { Opening } from '../connection/opening.js'
import type { Registry } from '../connection/socket-transport.js'
import { Turn } from '../connection/turn.js'
import { Counter, count, Histogram, Ledger, MAX_CONNECTIONS_PER_SHARD, observe } from '../ledger.js'
import { createLog, createSink, type Log, type LogSink } from '../log.js'
import type { ShardTask } from '../messages.js'
import { monotonicMs } from '../monotonic.js'
import type { ConnectionOptions } from '../options.js'
import { Payloads } from '../protocol/payloads.js'
import { closeHandle, type TcpHandle, takeHandle } from '../tcp-handle.js'
import type { TlsMaterial } from '../tls-material.js'
import { loadApp } from './app-loader.js'
import { closeDescriptor } from './descriptor.js'
import { ShardHttp } from './http.js'
import { spread } from './spread.js'
import { TlsTransports } from './tls-transports.js'
import { findTransports, type OpenTransports, type SocketSource, type Transports } from './transports.js'

/** What a deadline may be late, in milliseconds, unless the time-outs ask for better. */
const MOST_TICK_MS = 100
/** How long connections that were cut may take to say so, in milliseconds. */
const CUT_MS = 1000
/** How often connections that open in a shard that stops are closed, in milliseconds. */
const LATECOMER_INTERVAL_MS = 20
/** How often event-loop delay and heap are written to the ledger, in milliseconds. */
const MEASURE_INTERVAL_MS = 1000
/** Resolution of the event loop's monitor, in milliseconds, which it counts in. */
const LOOP_RESOLUTION_MS = 20

/** A started shard, as the thread that runs it sees it. */
export interface RunningShard {
  /** `sockets` that were accepted at `sentMs` (`monotonicMs`) have come here. */
  countHandoff(sentMs: number, sockets: number): void
  /** Takes an accepted socket that nothing was read from. */
  adoptSocket(socket: NetSocket, admission: number): void
  /** As `adoptSocket`, for the handle of one that was accepted in this thread. */
  adoptHandle(handle: TcpHandle, admission: number): void
  /** Takes a descriptor of an accepted socket; it is the shard's from here on. */
  adoptDescriptor(fd: number, admission: number): void
  /** From now on connections begin with other certificates. */
  reloadTls(tls: TlsMaterial): void
  /** No more will come: serves those that are there and waits until the last has ended. */
  drain(): Promise<void>
  /**
   * Takes no more, closes all connections with `code`, over `spreadMs` (0 by default), waits for their end, after that
   * at most `timeoutMs`, and cuts what is left. A second call does it in the time that it says; both end together.
   *
   * @param gently who has come and not asked yet still gets an answer, and `code` after it; by default it is cut
   */
  stop(code: number, timeoutMs: number, spreadMs?: number, gently?: boolean): Promise<void>
}

/**
 * Starts a shard in this thread: loads the application, then takes connections.
 *
 * @param toLogger takes the log where `task.logTo` is `logger`
 * @throws whatever the application's module or its `start` throws
 */
export async function startShard(
  task: Omit<ShardTask, 'port'>,
  toLogger: LogSink = () => {},
): Promise<RunningShard> {
  const sink = task.logTo === 'logger' ? toLogger : createSink(task.logTo)
  const log = createLog(task.logLevel, { shard: task.index }, sink)
  const openTransports = await findTransports()
  const app = await loadApp(task.app, log)
  await app.start?.({ index: task.index, workers: task.workers, generation: task.generation })
  return new Shard(task, app, openTransports, log)
}

class Shard implements RunningShard, Registry {
  readonly #environment: Environment
  readonly #http: ShardHttp
  readonly #ledger: Ledger
  readonly #transports: Transports
  /** The same, where they speak TLS. */
  readonly #tls: TlsTransports | undefined
  readonly #app: App<unknown>
  readonly #deadlines: Deadlines
  readonly #loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  readonly #measureTimer: NodeJS.Timeout
  /** Told when the last connection has ended. */
  readonly #emptied = new Set<() => void>()
  /** Once nothing is left but the application's `stop` hook. */
  #ending: Promise<void> | undefined

  constructor(task: Omit<ShardTask, 'port'>, app: App<unknown>, openTransports: OpenTransports, log: Log) {
    const { options } = task
    const codec = new Codec(task.codecModule, MAX_CONNECTIONS_PER_SHARD)
    this.#app = app
    this.#ledger = new Ledger(task.ledger)
    this.#tls = task.tls && this.#openTls(task.tls, codec, options, log)
    this.#transports = this.#tls ?? openTransports(codec, this)
    const trusted = new AddressSet(options.trustProxy)
    const clients = task.clients && new ClientCounts(task.clients)
    const operation = {
      board: task.board,
      counters: this.#ledger.counters,
      metricsPath: task.metricsPath,
      page: task.app === undefined ? new Page(options.path) : undefined,
    }
    const httpClients = clients && new HttpClients(options.trustProxyHeader, trusted, clients)
    this.#http = new ShardHttp(app, options, log, operation, httpClients)
    this.#deadlines = new Deadlines(tickMs(options))
    const { maxMemory, maxPayload, perMessageDeflate } = options
    const { counters } = this.#ledger
    const memory = new MemoryBudget(counters, task.board.shards, maxMemory, log)
    this.#environment = {
      app,
      options,
      trusted,
      clients,
      rates: task.rates && new ClientRates(task.rates),
      codec,
      compression:
        perMessageDeflate &&
        new Compression(perMessageDeflate, codec, maxPayload, this.#deadlines, counters, memory),
      payloads: new Payloads(codec.memory),
      turn: new Turn(codec),
      arrears: new Arrears(),
      deadlines: this.#deadlines,
      memory,
      counters,
      openings: new Set<Opening>(),
      connections: new Set<Connection>(),
      log,
      http: this.#http,
      nextId: 1,
      stopping: false,
    }
    this.#loopDelay.enable()
    this.#measure()
    this.#measureTimer = setInterval(() => this.#measure(), MEASURE_INTERVAL_MS).unref()
  }

  countHandoff(sentMs: number, sockets: number): void {
    observe(this.#ledger.counters, Histogram.HANDOFF, (monotonicMs() - sentMs) / 1000, sockets)
  }

  adoptSocket(socket: NetSocket, admission: number): void {
    this.#count(Counter.ADOPTED)
    try {
      this.#adopt({ handle: takeHandle(socket) }, admission)
    } catch (error) {
      // Most likely it ended on its way.
      socket.destroy()
      this.#lost(admission, 'debug', error)
    }
  }

  adoptHandle(handle: TcpHandle, admission: number): void {
    this.#count(Counter.ADOPTED)
    try {
      this.#adopt({ handle }, admission)
    } catch (error) {
      closeHandle(handle)
      this.#lost(admission, 'warn', error)
    }
  }

  adoptDescriptor(fd: number, admission: number): void {
    // Before anything else: from here on the descriptor is not the primary's to close any more.
    this.#count(Counter.ADOPTED)
    try {
      this.#adopt({ fd }, admission)
    } catch (error) {
      closeDescriptor(fd)
      this.#lost(admission, 'warn', error)
    }
  }

  reloadTls(tls: TlsMaterial): void {
    try {
      this.#tls?.reload(tls)
    } catch (error) {
      // The primary has tried it, so that this is no fault of theirs.
      this.#environment.log('error', 'the certificates could not be taken over; the old ones stay', error, {
        event: 'tls.stale',
      })
    }
  }

  async drain(): Promise<void> {
    // Whoever has come may still begin a WebSocket connection; HTTP is asked to come again elsewhere.
    this.#http.drain()
    await this.#empty()
    await this.#end()
  }

  async stop(code: number, timeoutMs: number, spreadMs = 0, gently = false): Promise<void> {
    const environment = this.#environment
    if (!gently) {
      environment.stopping = true
      this.#http.stop()
      for (const opening of environment.openings) opening.stop()
    }
    const close = (connection: Connection): void => connection.close(code)
    await spread([...environment.connections], spreadMs, close, () => this.#isEmpty)
    // Those that have opened since.
    const latecomers = setInterval(() => environment.connections.forEach(close), LATECOMER_INTERVAL_MS)
    await this.#empty(timeoutMs)
    clearInterval(latecomers)
    for (const opening of environment.openings) opening.terminate()
    for (const connection of environment.connections) connection.terminate()
    this.#http.destroy()
    // The `close` hooks come before `stop`.
    await this.#empty(CUT_MS)
    await this.#end()
  }

  /** A connection has ended, and its socket with it. */
  ended(admission: number): void {
    this.#count(Counter.ENDED)
    this.#ledger.release(admission)
    if (this.#emptied.size > 0 && this.#isEmpty) for (const tell of this.#emptied) tell()
  }

  get #isEmpty(): boolean {
    const { counters } = this.#ledger
    return counters[Counter.ADOPTED] === counters[Counter.ENDED]
  }

  /** Waits until there is no connection, but not longer than `timeoutMs`, if there is such a limit. */
  async #empty(timeoutMs?: number): Promise<void> {
    if (this.#isEmpty) return
    await new Promise<void>(resolve => {
      const over = (): void => {
        clearTimeout(timer)
        this.#emptied.delete(over)
        resolve()
      }
      const timer = timeoutMs === undefined ? undefined : setTimeout(over, timeoutMs)
      this.#emptied.add(over)
    })
  }

  #end(): Promise<void> {
    this.#ending ??= this.#release()
    return this.#ending
  }

  async #release(): Promise<void> {
    await this.#app.stop?.()
    this.#environment.compression?.close()
    this.#deadlines.stop()
    this.#transports.close()
    clearInterval(this.#measureTimer)
    this.#loopDelay.disable()
  }

  #openTls(tls: TlsMaterial, codec: Codec, options: ConnectionOptions, log: Log): TlsTransports {
    const { handshakeTimeoutMs, proxyProtocol } = options
    const { counters } = this.#ledger
    return new TlsTransports(tls, {
      arena: codec.readArena,
      registry: this,
      counters,
      handshakeTimeoutMs,
      proxyProtocol,
      log,
    })
  }

  #adopt(source: SocketSource, admission: number): void {
    const opening = new Opening(this.#environment)
    opening.begin(this.#transports.create(source, opening, admission))
  }

  /** A socket could not be adopted. */
  #lost(admission: number, level: 'debug' | 'warn', error: unknown): void {
    this.#count(Counter.HANDSHAKES_OVER)
    this.ended(admission)
    this.#environment.log(level, 'a socket could not be adopted', error, { event: 'socket.lost' })
  }

  #count(counter: number): void {
    count(this.#ledger.counters, counter)
  }

  #measure(): void {
    const { counters } = this.#ledger
    const delay = this.#loopDelay
    counters[Counter.LOOP_DELAY_MS] = lateness(delay.mean)
    counters[Counter.LOOP_DELAY_MAX_MS] = delay.count === 0 ? 0 : lateness(delay.max)
    delay.reset()
    const heap = getHeapStatistics()
    counters[Counter.ZLIB_STREAMS] = this.#environment.compression?.streams ?? 0
    counters[Counter.HEAP_USED] = heap.used_heap_size
    counters[Counter.HEAP_SIZE] = heap.total_heap_size
    counters[Counter.HEAP_LIMIT] = heap.heap_size_limit
  }
}

/** Milliseconds, of what the event loop's monitor says, in nanoseconds; NaN when it has not looked yet. */
function lateness(ns: number): number {
  return Number.isNaN(ns) ? 0 : Math.max(0, ns / 1e6 - LOOP_RESOLUTION_MS)
}

/** Fine enough for the shortest time-out, coarse enough not to wake an idle machine. */
function tickMs(options: ConnectionOptions): number {
  const { handshakeTimeoutMs, idlePingMs, idleTimeoutMs, closeTimeoutMs } = options
  const timeouts = [handshakeTimeoutMs, idlePingMs, idleTimeoutMs, closeTimeoutMs].filter(ms => ms > 0)
  return Math.max(10, Math.min(MOST_TICK_MS, ...timeouts.map(ms => Math.floor(ms / 10))))
}
