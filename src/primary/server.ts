import { randomInt } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { AddressSet, UNIX } from '../address.js'
import { ClientCounts } from '../client-counts.js'
import { clientKey } from '../client-key.js'
import { ClientRates } from '../client-rates.js'
import { compileCodec } from '../codec/module.js'
import { OptionError, type ShardError } from '../errors.js'
import {
  type Board,
  count,
  createPrimaryCounters,
  DENIALS,
  Ledger,
  MAX_CONNECTIONS_PER_SHARD,
  Phase,
  PrimaryCounter,
} from '../ledger.js'
import {
  createLog,
  createLoggerSink,
  createOccasionalWarning,
  createSink,
  type Log,
  type LogSink,
  type OccasionalWarning,
} from '../log.js'
import { monotonicMs } from '../monotonic.js'
import { CloseCode, isValidCloseCode } from '../rfc6455.js'
import { describeRange, OPTIONS, type ResolvedOptions } from '../serve-options.js'
import { closeHandle, type Peer, type TcpHandle } from '../tcp-handle.js'
import { checkTlsOptions, type TlsOptions } from '../tls-options.js'
import type { Admin } from './admin.js'
import { Admission, type Denial } from './admission.js'
import { type Balancer, createBalancer } from './balance.js'
import { findHandoff, type HandoffWay, passesUnix } from './handoff.js'
import { listen } from './listen.js'
import type { ShardLauncher } from './shard-process.js'
import { ShardSlot, type ShardStats, type Traffic } from './shard-slot.js'
import { BACKOFF, type Backoff, Supervisor } from './supervisor.js'
import { type CommonTask, ThreadLauncher } from './thread-shard.js'
import { hasFiles, readTls } from './tls-reader.js'

/** Connections that were accepted and closed at once, by reason. */
export interface RefusedStats extends Record<Denial, number> {
  /** As many opening handshakes were in progress. */
  maxHandshakes: number
  /** The client had opened connections too fast. */
  maxHandshakeRatePerIp: number
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
  /** Milliseconds over which the connections are closed, before `timeoutMs`. Default: the option `closeSpreadMs`. */
  spreadMs?: number | undefined
  /** The close code that clients get. Default 1001 (going away). */
  code?: number | undefined
}

export interface ServerEvents {
  /**
   * A shard failed; its connections are lost, and another is started in its place. If nobody listens, the error is
   * written to stderr. A `logger`, or JSON, gets it in any case.
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

/** For tracing tools, in the main thread: `{ error, index }`. */
const CRASH = channel('shardws:shard:crash')

const WORKER_FILE = fileURLToPath(new URL('../shard/worker.js', import.meta.url))

const TRAFFIC: readonly (keyof Traffic)[] = [
  'sockets',
  'handshakes',
  'socketsTotal',
  'connections',
  'connectionsTotal',
  'handshakesRefused',
  'httpRequestsRefused',
  'tlsHandshakesFailed',
  'messagesIn',
  'messagesOut',
  'bytesIn',
  'bytesOut',
  'pinnedBytes',
  'memoryRefused',
  'rateLimited',
  'messagesDropped',
  'pongsSkipped',
]

/** A running server: accepts connections and hands each to a shard. Made by `serve`. */
export class Server extends EventEmitter<ServerEvents> {
  readonly #options: ResolvedOptions
  readonly #slots: readonly ShardSlot[]
  readonly #launcher: ShardLauncher
  readonly #supervisor: Supervisor
  readonly #admission: Admission
  readonly #balance: Balancer
  readonly #needsKey: boolean
  readonly #trusted: AddressSet
  readonly #counters: Board['primary']
  readonly #admin: Admin | undefined
  readonly #log: Log
  readonly #warn: OccasionalWarning
  readonly #rates: ClientRates | undefined
  /** What `reloadTls` reads again. */
  #tls: TlsOptions | undefined
  #listener: NetServer | undefined
  #address: AddressInfo | undefined
  #closed: Promise<void> | undefined

  private constructor(
    options: ResolvedOptions,
    launcher: ShardLauncher,
    ledgers: readonly Ledger[],
    board: Board,
    admin: Admin | undefined,
    log: Log,
    backoff: Backoff,
    clients: ClientCounts | undefined,
    rates: ClientRates | undefined,
  ) {
    super()
    this.#options = options
    this.#launcher = launcher
    this.#tls = options.tls
    this.#admission = new Admission(options.maxConnections, options.maxConnectionsPerIp, clients)
    this.#balance = createBalancer(options.balance)
    this.#trusted = new AddressSet(options.connection.trustProxy)
    this.#rates = rates
    this.#needsKey =
      options.maxConnectionsPerIp > 0 || rates !== undefined || options.balance === 'client-address'
    this.#counters = board.primary
    this.#admin = admin
    this.#log = log
    this.#warn = createOccasionalWarning(log)
    this.#slots = ledgers.map((ledger, index) => new ShardSlot(index, this.#admission, ledger))
    this.#supervisor = new Supervisor({
      slots: this.#slots,
      launcher,
      startTimeoutMs: options.startTimeoutMs,
      backoff,
      onReplaced: shard =>
        this.#log('info', `shard ${shard} is ready again`, undefined, { event: 'shard.ready', shard }),
      onFailure: (error, index) => this.#report(error, index),
    })
  }

  /** @internal Starts the shards, then listens: no client ever meets a server that is not ready. */
  static async start(options: ResolvedOptions, parts: ServerParts = {}): Promise<Server> {
    const tls = options.tls && readTls(options.tls)
    const openLine = await findHandoff(parts.handoff)
    const workers = openLine === undefined ? 1 : options.workers
    const clients = createClientCounts(options, workers)
    const rates = createClientRates(options)
    const ledgers = Array.from({ length: workers }, () => new Ledger())
    const board: Board = { primary: createPrimaryCounters(), shards: ledgers.map(({ counters }) => counters) }
    board.primary[PrimaryCounter.STARTED_AT] = Date.now() / 1000
    board.primary[PrimaryCounter.MEMORY_LIMIT] = options.connection.maxMemory
    const admin = await openAdmin(options, board)
    const sink =
      options.logger === undefined ? createSink(options.logFormat) : createLoggerSink(options.logger)
    const log = createServerLog(options, sink)
    const task: CommonTask = {
      workers,
      app: options.app,
      options: options.connection,
      board,
      metricsPath: options.metricsPath,
      logLevel: options.logLevel,
      tls,
      clients: clients?.facts,
      rates: rates?.facts,
      logTo: options.logger === undefined ? options.logFormat : 'logger',
      codecModule: compileCodec(),
    }
    let launcher: ShardLauncher
    if (openLine === undefined) {
      const { LocalLauncher } = await import('./local-shard.js')
      launcher = new LocalLauncher(task, sink)
      warnOfLocalShard(log, parts.handoff ?? process.env.SHARDWS_HANDOFF)
    } else {
      launcher = new ThreadLauncher(
        parts.workerFile ?? WORKER_FILE,
        task,
        openLine,
        options.resourceLimits,
        sink,
      )
    }
    const server = new Server(
      options,
      launcher,
      ledgers,
      board,
      admin,
      log,
      parts.backoff ?? BACKOFF,
      clients,
      rates,
    )
    try {
      await server.#supervisor.start()
    } catch (error) {
      admin?.close()
      throw error
    }
    try {
      const address = await server.#listen()
      if (address.family === 'Unix' && !passesUnix(openLine)) throw noWayForUnix()
      server.#announce(address)
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

  /** The address and port of `/metrics`, `/healthz` and `/readyz`; null without `adminPort`, and when all is closed. */
  adminAddress(): AddressInfo | null {
    return this.#admin?.address ?? null
  }

  /** What has happened so far. Cheap enough to be asked every second. */
  stats(): ServerStats {
    const shards = this.#slots.map(slot => slot.stats())
    const total = Object.fromEntries(
      TRAFFIC.map(name => [name, shards.reduce((sum, shard) => sum + shard[name], 0)]),
    ) as unknown as Traffic
    return {
      accepted: this.#counters[PrimaryCounter.ACCEPTED],
      refused: Object.fromEntries(
        DENIALS.map((denial, index) => [denial, this.#counters[PrimaryCounter.DENIED + index]]),
      ) as unknown as RefusedStats,
      acceptErrors: this.#counters[PrimaryCounter.ACCEPT_ERRORS],
      admitted: this.#admission.held,
      total,
      shards,
    }
  }

  /**
   * Has connections that come from now on begin with other certificates, or another of the options of TLS; those that
   * are there keep theirs. Sessions that began before are not resumed, unless `ticketKeys` are given and the rules for
   * client certificates are the same.
   *
   * @param tls by default the present options, whose files are read again
   * @throws OptionError (`ERR_TLS`, `ERR_OPTION`) when they can't be used; nothing has changed then
   */
  reloadTls(tls?: TlsOptions): void {
    if (this.#tls === undefined) {
      throw new OptionError('ERR_TLS', 'the server was started without the option tls, and can not begin now')
    }
    if (tls !== undefined) checkTlsOptions(tls)
    else if (!hasFiles(this.#tls)) {
      throw new OptionError('ERR_TLS', 'tls names no files that could be read again; give the new options')
    }
    const options = tls ?? this.#tls
    const material = readTls(options)
    this.#tls = options
    this.#launcher.reloadTls(material)
    for (const slot of this.#slots) slot.process?.reloadTls(material)
  }

  /**
   * Stops listening, closes all connections, waits for the application's `stop` hooks, and ends the shards; what has
   * not ended in time is cut. A second call gives the promise of the first.
   *
   * @throws OptionError (`ERR_OPTION`) for a bad time or close code
   */
  close(options: CloseOptions = {}): Promise<void> {
    const { stopTimeoutMs, closeSpreadMs } = this.#options
    const { timeoutMs = stopTimeoutMs, spreadMs = closeSpreadMs, code = CloseCode.GOING_AWAY } = options
    checkTime('timeoutMs', timeoutMs, 'stopTimeoutMs')
    checkTime('spreadMs', spreadMs, 'closeSpreadMs')
    if (!isValidCloseCode(code)) {
      throw new OptionError('ERR_OPTION', `code must be a close code that may be sent, not ${String(code)}`)
    }
    this.#closed ??= this.#close(code, timeoutMs, spreadMs)
    return this.#closed
  }

  async #close(code: number, timeoutMs: number, spreadMs: number): Promise<void> {
    this.#counters[PrimaryCounter.PHASE] = Phase.STOPPING
    this.#log('info', 'the server stops', undefined, { event: 'server.stopping', code })
    // Accepted sockets are the shards', so that closing the listener does not wait for them.
    this.#listener?.close()
    await this.#supervisor.stop(code, timeoutMs, spreadMs)
    this.#admin?.close()
    this.#log('info', 'the server has stopped', undefined, { event: 'server.stopped' })
    this.emit('close')
  }

  async #listen(): Promise<AddressInfo> {
    const { port, host, unix, unixMode, fd, backlog } = this.#options
    const listener = await listen({
      port,
      host,
      unix,
      unixMode,
      fd,
      backlog,
      onHandle: handle => this.#accept(handle),
      onAcceptError: () => count(this.#counters, PrimaryCounter.ACCEPT_ERRORS),
    })
    this.#listener = listener
    const address = listener.address()
    // Of a Unix domain socket that came as a descriptor Node does not know the path.
    const isUnix = typeof address === 'string' || address === null
    this.#address = isUnix ? { address: address ?? '', port: 0, family: 'Unix' } : address
    return this.#address
  }

  #announce({ address, port, family }: AddressInfo): void {
    this.#counters[PrimaryCounter.PHASE] = Phase.SERVING
    const place = family === 'Unix' ? address || 'a Unix domain socket' : `${address} port ${port}`
    this.#log('info', `listening on ${place}`, undefined, {
      event: 'server.listening',
      address,
      port,
      shards: this.#slots.length,
    })
  }

  #accept(handle: TcpHandle): void {
    count(this.#counters, PrimaryCounter.ACCEPTED)
    let handshakes = 0
    for (const slot of this.#slots) {
      slot.takeReleased()
      handshakes += slot.handshakes
    }
    let key = ''
    if (this.#needsKey) {
      const address = addressOf(handle)
      if (address === undefined) {
        this.#refuse('handoff')
        closeHandle(handle)
        return
      }
      // A trusted proxy brings many clients.
      if (!this.#trusted.has(address)) key = clientKey(address)
    }
    const denial = this.#admission.denial(key) ?? this.#haste(key, handshakes)
    if (denial !== undefined) {
      this.#refuse(denial)
      this.#warn(`connections are closed as they come: ${denial} is ${this.#options[denial]}`, {
        event: 'connection.denied',
        reason: denial,
      })
      closeHandle(handle)
      return
    }
    const slot = this.#slots[this.#balance(this.#slots, key)]
    if (slot === undefined) {
      this.#refuse('noShard')
      closeHandle(handle)
    } else if (!slot.handOver(handle, key)) {
      this.#refuse('handoff')
    }
  }

  /** Which limit of what may come at a time is reached. */
  #haste(key: string, handshakes: number): 'maxHandshakes' | 'maxHandshakeRatePerIp' | undefined {
    if (handshakes >= this.#options.maxHandshakes) return 'maxHandshakes'
    const isTooFast = key !== '' && this.#rates?.take(key, monotonicMs()) === false
    return isTooFast ? 'maxHandshakeRatePerIp' : undefined
  }

  #refuse(reason: (typeof DENIALS)[number]): void {
    count(this.#counters, PrimaryCounter.DENIED + DENIALS.indexOf(reason))
  }

  #report(error: ShardError, index: number): void {
    if (CRASH.hasSubscribers) CRASH.publish({ error, index })
    const isHeard = this.listenerCount('shardError') > 0
    // On a terminal whoever listens says it as well.
    if (!isHeard || !isForTerminal(this.#options)) {
      const sequel = this.#closed === undefined ? '; another takes its place' : ''
      const facts = { event: 'shard.crashed', shard: index, fault: error.code }
      this.#log('error', `${error.message}${sequel}`, error.cause, facts)
    }
    if (isHeard) this.emit('shardError', error, index)
  }
}

function checkTime(name: string, ms: number, option: 'stopTimeoutMs' | 'closeSpreadMs'): void {
  const { min, max } = OPTIONS[option]
  if (Number.isInteger(ms) && ms >= min && ms <= max) return
  throw new OptionError('ERR_OPTION', `${name} must be ${describeRange(option)}, not ${String(ms)}`)
}

/** HTTP is loaded only when it is wanted. */
async function openAdmin(
  { adminPort, adminHost }: ResolvedOptions,
  board: Board,
): Promise<Admin | undefined> {
  if (adminPort === undefined) return undefined
  const { Admin } = await import('./admin.js')
  return Admin.listen(adminPort, adminHost, board)
}

/** Text is for people, who see from the command when it listens and stops. */
function isForTerminal({ logger, logFormat }: ResolvedOptions): boolean {
  return logger === undefined && logFormat === 'text'
}

function createServerLog(options: ResolvedOptions, sink: LogSink): Log {
  const log = createLog(options.logLevel, {}, sink)
  if (!isForTerminal(options)) return log
  return (level, text, error, facts) => {
    if (level !== 'info') log(level, text, error, facts && { ...facts, shard: undefined })
  }
}

/** Only where proxies bring clients that the primary does not see. */
function createClientCounts(options: ResolvedOptions, workers: number): ClientCounts | undefined {
  const { connection, maxConnections, maxConnectionsPerIp } = options
  if (maxConnectionsPerIp === 0 || connection.trustProxy.length === 0) return undefined
  const capacity = Math.min(maxConnections, workers * MAX_CONNECTIONS_PER_SHARD)
  return ClientCounts.create(maxConnectionsPerIp, capacity, randomInt(2 ** 31))
}

function createClientRates({ maxHandshakeRatePerIp: rate }: ResolvedOptions): ClientRates | undefined {
  return rate === 0 ? undefined : ClientRates.create(rate, randomInt(2 ** 31))
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

function warnOfLocalShard(log: Log, asked: string | undefined): void {
  if (warned) return
  warned = true
  const why =
    asked === 'local'
      ? 'SHARDWS_HANDOFF is local'
      : 'this platform cannot hand sockets to threads (it needs Node 24.21, or koffi)'
  log('warn', `${why}: one shard runs in the main thread`, undefined, { event: 'handoff.missing' })
}
