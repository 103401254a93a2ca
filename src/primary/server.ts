import { randomInt } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { AddressSet, UNIX } from '../address.js'
import { ClientCounts } from '../client-counts.js'
import { clientKey } from '../client-key.js'
import { compileCodec } from '../codec/module.js'
import { OptionError, type ShardError } from '../errors.js'
import { MAX_CONNECTIONS_PER_SHARD } from '../ledger.js'
import { CloseCode, isValidCloseCode } from '../rfc6455.js'
import { describeRange, OPTIONS, type ResolvedOptions } from '../serve-options.js'
import { closeHandle, type Peer, type TcpHandle } from '../tcp-handle.js'
import { Admission, type Denial } from './admission.js'
import { type Balancer, createBalancer } from './balance.js'
import { findHandoff, type HandoffWay, passesUnix } from './handoff.js'
import { listen } from './listen.js'
import type { ShardLauncher } from './shard-process.js'
import { ShardSlot, type ShardStats, type Traffic } from './shard-slot.js'
import { BACKOFF, type Backoff, Supervisor } from './supervisor.js'
import { type CommonTask, ThreadLauncher } from './thread-shard.js'

/** Connections that were accepted and closed at once, by reason. */
export interface RefusedStats extends Record<Denial, number> {
  /** No shard was ready, or all were full. */
  noShard: number
  /** The client was gone already, or the process had no descriptor left to hand it over with. */
  handoff: number
}

export interface ServerStats {
  /** Connections accepted, the refused ones included. */
  accepted: number
  refused: RefusedStats
  /** Connections that the system could not give to the process. */
  acceptErrors: number
  /** Connections that count for `maxConnections` now. */
  admitted: number
  total: Traffic
  shards: ShardStats[]
}

export interface CloseOptions {
  /** Milliseconds that the connections and the application get to end. Default: the option `stopTimeoutMs`. */
  timeoutMs?: number | undefined
  /** The close code that clients get. Default 1001 (going away). */
  code?: number | undefined
}

export interface ServerEvents {
  /**
   * A shard failed; its connections are lost, and another is started in its place. If nobody listens, the error is
   * written to stderr.
   */
  shardError: [error: ShardError, index: number]
  /** `close` is done. */
  close: []
}

/**
 * What tests replace.
 *
 * @internal
 */
export interface ServerParts {
  workerFile?: string
  handoff?: HandoffWay
  backoff?: Backoff
}

const WORKER_FILE = fileURLToPath(new URL('../shard/worker.js', import.meta.url))

const TRAFFIC: readonly (keyof Traffic)[] = [
  'sockets',
  'socketsTotal',
  'connections',
  'connectionsTotal',
  'handshakesRefused',
  'messagesIn',
  'messagesOut',
  'bytesIn',
  'bytesOut',
  'messagesDropped',
  'pongsSkipped',
]

/** A running server: accepts connections and hands each to a shard. Made by `serve`. */
export class Server extends EventEmitter<ServerEvents> {
  readonly #options: ResolvedOptions
  readonly #slots: readonly ShardSlot[]
  readonly #supervisor: Supervisor
  readonly #admission: Admission
  readonly #balance: Balancer
  readonly #needsKey: boolean
  readonly #trusted: AddressSet
  readonly #refused: RefusedStats = { maxConnections: 0, maxConnectionsPerIp: 0, noShard: 0, handoff: 0 }
  #accepted = 0
  #acceptErrors = 0
  #listener: NetServer | undefined
  #address: AddressInfo | undefined
  #closed: Promise<void> | undefined

  private constructor(
    options: ResolvedOptions,
    launcher: ShardLauncher,
    workers: number,
    backoff: Backoff,
    clients: ClientCounts | undefined,
  ) {
    super()
    this.#options = options
    this.#admission = new Admission(options.maxConnections, options.maxConnectionsPerIp, clients)
    this.#balance = createBalancer(options.balance)
    this.#trusted = new AddressSet(options.connection.trustProxy)
    this.#needsKey = options.maxConnectionsPerIp > 0 || options.balance === 'client-address'
    this.#slots = Array.from({ length: workers }, (_, index) => new ShardSlot(index, this.#admission))
    this.#supervisor = new Supervisor({
      slots: this.#slots,
      launcher,
      startTimeoutMs: options.startTimeoutMs,
      backoff,
      onFailure: (error, index) => this.#report(error, index),
    })
  }

  /** @internal Starts the shards, then listens: no client ever meets a server that is not ready. */
  static async start(options: ResolvedOptions, parts: ServerParts = {}): Promise<Server> {
    const openLine = await findHandoff(parts.handoff)
    const workers = openLine === undefined ? 1 : options.workers
    const clients = createClientCounts(options, workers)
    const task: CommonTask = {
      workers,
      app: options.app,
      options: options.connection,
      logLevel: options.logLevel,
      clients: clients?.facts,
      codecModule: compileCodec(),
    }
    let launcher: ShardLauncher
    if (openLine === undefined) {
      const { LocalLauncher } = await import('./local-shard.js')
      launcher = new LocalLauncher(task)
      warnOfLocalShard(options, parts.handoff ?? process.env.SHARDWS_HANDOFF)
    } else {
      launcher = new ThreadLauncher(parts.workerFile ?? WORKER_FILE, task, openLine, options.resourceLimits)
    }
    const server = new Server(options, launcher, workers, parts.backoff ?? BACKOFF, clients)
    await server.#supervisor.start()
    try {
      await server.#listen()
      if (server.#address?.family === 'Unix' && !passesUnix(openLine)) throw noWayForUnix()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  /**
   * The address and port in use, or the path of a Unix domain socket, with port 0 and family `Unix`; null once the
   * server does not listen any more.
   */
  address(): AddressInfo | null {
    return this.#closed === undefined ? (this.#address ?? null) : null
  }

  /** What has happened so far. Cheap enough to be asked every second. */
  stats(): ServerStats {
    const shards = this.#slots.map(slot => slot.stats())
    const total = Object.fromEntries(
      TRAFFIC.map(name => [name, shards.reduce((sum, shard) => sum + shard[name], 0)]),
    ) as unknown as Traffic
    return {
      accepted: this.#accepted,
      refused: { ...this.#refused },
      acceptErrors: this.#acceptErrors,
      admitted: this.#admission.held,
      total,
      shards,
    }
  }

  /**
   * Stops listening, closes all connections, waits for the application's `stop` hooks, and ends the shards; what has
   * not ended in time is cut. A second call gives the promise of the first.
   *
   * @throws OptionError (`ERR_OPTION`) for a bad time or close code
   */
  close(options: CloseOptions = {}): Promise<void> {
    const { timeoutMs = this.#options.stopTimeoutMs, code = CloseCode.GOING_AWAY } = options
    const { min, max } = OPTIONS.stopTimeoutMs
    if (!Number.isInteger(timeoutMs) || timeoutMs < min || timeoutMs > max) {
      const range = describeRange('stopTimeoutMs')
      throw new OptionError('ERR_OPTION', `timeoutMs must be ${range}, not ${String(timeoutMs)}`)
    }
    if (!isValidCloseCode(code)) {
      throw new OptionError('ERR_OPTION', `code must be a close code that may be sent, not ${String(code)}`)
    }
    this.#closed ??= this.#close(code, timeoutMs)
    return this.#closed
  }

  async #close(code: number, timeoutMs: number): Promise<void> {
    // Accepted sockets are the shards', so that closing the listener does not wait for them.
    this.#listener?.close()
    await this.#supervisor.stop(code, timeoutMs)
    this.emit('close')
  }

  async #listen(): Promise<void> {
    const { port, host, unix, unixMode, fd, backlog } = this.#options
    const listener = await listen({
      port,
      host,
      unix,
      unixMode,
      fd,
      backlog,
      onHandle: handle => this.#accept(handle),
      onAcceptError: () => this.#acceptErrors++,
    })
    this.#listener = listener
    const address = listener.address()
    // Of a Unix domain socket that came as a descriptor Node does not know the path.
    const isUnix = typeof address === 'string' || address === null
    this.#address = isUnix ? { address: address ?? '', port: 0, family: 'Unix' } : address
  }

  #accept(handle: TcpHandle): void {
    this.#accepted++
    for (const slot of this.#slots) slot.takeReleased()
    let key = ''
    if (this.#needsKey) {
      const address = addressOf(handle)
      if (address === undefined) {
        this.#refused.handoff++
        closeHandle(handle)
        return
      }
      // A trusted proxy brings many clients.
      if (!this.#trusted.has(address)) key = clientKey(address)
    }
    const denial = this.#admission.denial(key)
    if (denial !== undefined) {
      this.#refused[denial]++
      closeHandle(handle)
      return
    }
    const slot = this.#slots[this.#balance(this.#slots, key)]
    if (slot === undefined) {
      this.#refused.noShard++
      closeHandle(handle)
    } else if (!slot.handOver(handle, key)) {
      this.#refused.handoff++
    }
  }

  #report(error: ShardError, index: number): void {
    if (this.listenerCount('shardError') > 0) {
      this.emit('shardError', error, index)
    } else if (this.#options.logLevel !== 'silent') {
      const { cause } = error
      const sequel = this.#closed === undefined ? '; another takes its place' : ''
      const stack = cause instanceof Error && cause.stack !== undefined ? `\n${cause.stack}` : ''
      process.stderr.write(`shardws: ${error.message}${sequel}${stack}\n`)
    }
  }
}

/** Only where proxies bring clients that the primary does not see. */
function createClientCounts(options: ResolvedOptions, workers: number): ClientCounts | undefined {
  const { connection, maxConnections, maxConnectionsPerIp } = options
  if (maxConnectionsPerIp === 0 || connection.trustProxy.length === 0) return undefined
  const capacity = Math.min(maxConnections, workers * MAX_CONNECTIONS_PER_SHARD)
  return ClientCounts.create(maxConnectionsPerIp, capacity, randomInt(2 ** 31))
}

/** The address of who is at the other end, `unix` for a Unix domain socket; undefined when it has gone. */
function addressOf(handle: TcpHandle): string | undefined {
  if (handle.getpeername === undefined) return UNIX
  const peer: Peer = {}
  return handle.getpeername(peer) === 0 ? peer.address : undefined
}

function noWayForUnix(): OptionError {
  const text =
    'Unix domain sockets get to threads as descriptors only: install koffi, or set SHARDWS_HANDOFF to local for one shard in the main thread'
  return new OptionError('ERR_HANDOFF', text)
}

let warned = false

function warnOfLocalShard(options: ResolvedOptions, asked: string | undefined): void {
  if (warned || options.logLevel === 'silent' || options.logLevel === 'error') return
  warned = true
  const why =
    asked === 'local'
      ? 'SHARDWS_HANDOFF is local'
      : 'this platform cannot hand sockets to threads (it needs Node 24.21, or koffi)'
  process.stderr.write(`shardws: ${why}: one shard runs in the main thread\n`)
}
