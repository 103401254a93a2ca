import { randomInt } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { ClientCounts } from '../client-counts.js'
import { ClientRates } from '../client-rates.js'
import { compileCodec } from '../codec/module.js'
import { OptionError, type ShardError, StateError } from '../errors.js'
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
import { CloseCode, isValidCloseCode } from '../rfc6455.js'
import { describeRange, OPTIONS, type ResolvedOptions } from '../serve-options.js'
import type { TlsMaterial } from '../tls-material.js'
import { checkTlsOptions, type TlsOptions } from '../tls-options.js'
import { readVersion } from '../version.js'
import type { Admin } from './admin.js'
import { Admission } from './admission.js'
import { Entrance } from './entrance.js'
import { Generations, ROWS } from './generations.js'
import { findHandoff, type HandoffWay, passesUnix } from './handoff.js'
import { listen } from './listen.js'
import { Reporter } from './reporter.js'
import type { ShardLauncher } from './shard-process.js'
import { ShardSlot } from './shard-slot.js'
import { combineStats, type RefusedStats, type ServerStats, sumTraffic } from './stats.js'
import { BACKOFF, type Backoff } from './supervisor.js'
import { type CommonTask, ThreadLauncher } from './thread-shard.js'
import { hasFiles, readTls } from './tls-reader.js'

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
   * A shard failed; its connections are lost, and another is started in its place (unless it was there for connections
   * from before a reload). If nobody listens, the error is written to stderr. A `logger`, or JSON, gets it in any case.
   */
  shardError: [error: ShardError, index: number]
  /** New shards take the connections; `generation` is what they have as `ShardContext.generation`. */
  reload: [generation: number]
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

/** A running server: accepts connections and hands each to a shard. Made by `serve`. */
export class Server extends EventEmitter<ServerEvents> {
  readonly #options: ResolvedOptions
  readonly #generations: Generations
  /** All slots, in rows. */
  readonly #slots: readonly ShardSlot[]
  readonly #workers: number
  readonly #admission: Admission
  readonly #counters: Board['primary']
  readonly #admin: Admin | undefined
  readonly #entrance: Entrance
  readonly #reporter: Reporter
  /** Of this package, when the server was started. */
  readonly #version = readVersion()
  /** What `reloadTls` reads again. */
  #tls: TlsOptions | undefined
  /** What was read. */
  #material: TlsMaterial | undefined
  #listener: NetServer | undefined
  #address: AddressInfo | undefined
  #closed: Promise<void> | undefined

  private constructor(
    options: ResolvedOptions,
    createLauncher: (task: CommonTask) => ShardLauncher,
    task: Omit<CommonTask, 'generation'>,
    ledgers: readonly Ledger[],
    board: Board,
    admin: Admin | undefined,
    reporter: Reporter,
    backoff: Backoff,
    clients: ClientCounts | undefined,
    rates: ClientRates | undefined,
  ) {
    super()
    this.#options = options
    this.#tls = options.tls
    this.#material = task.tls
    this.#admission = new Admission(options.maxConnections, options.maxConnectionsPerIp, clients)
    this.#counters = board.primary
    this.#admin = admin
    this.#reporter = reporter
    const { workers } = board
    this.#workers = workers
    this.#slots = ledgers.map(
      (ledger, place) => new ShardSlot(place % workers, place, this.#admission, ledger),
    )
    const rows = Array.from({ length: ledgers.length / workers }, (_, row) =>
      this.#slots.slice(row * workers, (row + 1) * workers),
    )
    const { startTimeoutMs, stopTimeoutMs, closeSpreadMs, reloadDrainMs } = options
    this.#generations = new Generations({
      rows,
      createLauncher: generation => createLauncher({ ...task, tls: this.#material, generation }),
      startTimeoutMs,
      stopTimeoutMs,
      backoff,
      drainMs: reloadDrainMs,
      spreadMs: closeSpreadMs,
      onReplaced: shard => reporter.inform(`shard ${shard} is ready again`, { event: 'shard.ready', shard }),
      onFailure: (error, index, isReplaced) => {
        const isHeard = this.listenerCount('shardError') > 0
        reporter.crashed(error, index, isReplaced, isHeard)
        if (isHeard) this.emit('shardError', error, index)
      },
      onReload: generation => {
        count(board.primary, PrimaryCounter.RELOADS)
        reporter.reloaded(generation)
        this.emit('reload', generation)
      },
      onReloadFailure: error => this.#reloadFailed(error),
      onDrained: generation =>
        reporter.inform(`the shards of generation ${generation} have ended`, {
          event: 'reload.drained',
          generation,
        }),
    })
    this.#entrance = new Entrance(options, board.primary, this.#admission, rates, this.#generations, reporter)
  }

  /** @internal Starts the shards, then listens: no client ever meets a server that is not ready. */
  static async start(options: ResolvedOptions, parts: ServerParts = {}): Promise<Server> {
    const tls = options.tls && readTls(options.tls)
    const openLine = await findHandoff(parts.handoff)
    const workers = openLine === undefined ? 1 : options.workers
    const places = openLine === undefined ? 1 : workers * ROWS
    const clients = createClientCounts(options, places)
    const rates = createClientRates(options)
    const ledgers = Array.from({ length: places }, () => new Ledger())
    const board: Board = {
      primary: createPrimaryCounters(),
      workers,
      shards: ledgers.map(({ counters }) => counters),
    }
    board.primary[PrimaryCounter.STARTED_AT] = Date.now() / 1000
    board.primary[PrimaryCounter.MEMORY_LIMIT] = options.connection.maxMemory
    const admin = await openAdmin(options, board)
    const reporter = new Reporter(options)
    const { sink } = reporter
    const task: Omit<CommonTask, 'generation'> = {
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
    let createLauncher: (task: CommonTask) => ShardLauncher
    if (openLine === undefined) {
      const { LocalLauncher } = await import('./local-shard.js')
      createLauncher = common => new LocalLauncher(common, sink)
      warnOfLocalShard(reporter, parts.handoff ?? process.env.SHARDWS_HANDOFF)
    } else {
      const { workerFile = WORKER_FILE } = parts
      const { resourceLimits } = options
      createLauncher = common => new ThreadLauncher(workerFile, common, openLine, resourceLimits, sink)
    }
    const server = new Server(
      options,
      createLauncher,
      task,
      ledgers,
      board,
      admin,
      reporter,
      parts.backoff ?? BACKOFF,
      clients,
      rates,
    )
    try {
      await server.#generations.start()
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
    const all = this.#slots.map(slot => slot.stats())
    const shards = this.#generations.slots.map(slot =>
      combineStats(
        slot.stats(),
        all.filter(({ index }) => index === slot.index),
      ),
    )
    const draining = this.#generations.oldSlots.filter(slot => slot.process !== undefined)
    return {
      accepted: this.#counters[PrimaryCounter.ACCEPTED],
      refused: Object.fromEntries(
        DENIALS.map((denial, index) => [denial, this.#counters[PrimaryCounter.DENIED + index]]),
      ) as unknown as RefusedStats,
      acceptErrors: this.#counters[PrimaryCounter.ACCEPT_ERRORS],
      admitted: this.#admission.held,
      reloads: this.#counters[PrimaryCounter.RELOADS],
      draining: {
        shards: draining.length,
        sockets: draining.reduce((sum, slot) => sum + slot.stats().sockets, 0),
      },
      total: sumTraffic(shards),
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
    this.#material = material
    this.#generations.reloadTls(material)
  }

  /**
   * Reads the files of the option `tls` again, if it names any, then starts new shards, which import the application
   * anew with all its modules, and sends the connections to them once all are ready. The shards from before keep
   * theirs: each ends with its last connection; what is left after `reloadDrainMs` is closed with 1012 (service
   * restart) over `closeSpreadMs`, and cut after `stopTimeoutMs`.
   *
   * Resolves when the new shards take the connections. A call while another reload is at it begins after that one.
   *
   * @throws ShardError (`ERR_SHARD_APP`, `ERR_SHARD_START_TIMEOUT`, ...) when the application does not load or start in
   *   all of the new shards: they have ended then, and the old ones go on
   * @throws OptionError (`ERR_TLS`) when the certificates can't be used; nothing has changed then
   * @throws StateError (`ERR_RELOAD`) when the server closes; where the one shard runs in the main thread, whose modules
   *   can't be loaded again (the certificates are read all the same); when another version of this package has been
   *   installed; when threads of earlier reloads can't be ended
   */
  async reload(): Promise<void> {
    try {
      if (this.#closed !== undefined) throw new StateError('ERR_RELOAD', 'the server closes')
      if (this.#tls !== undefined && hasFiles(this.#tls)) this.reloadTls()
      this.#checkReloadable()
    } catch (error) {
      this.#reloadFailed(error)
      throw error
    }
    await this.#generations.reload()
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
    this.#reporter.inform('the server stops', { event: 'server.stopping', code })
    // Accepted sockets are the shards', so that closing the listener does not wait for them.
    this.#listener?.close()
    await this.#generations.stop({ code, timeoutMs, spreadMs, gently: false })
    this.#admin?.close()
    this.#reporter.inform('the server has stopped', { event: 'server.stopped' })
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
      onHandle: handle => this.#entrance.accept(handle),
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
    this.#reporter.inform(`listening on ${place}`, {
      event: 'server.listening',
      address,
      port,
      shards: this.#workers,
    })
  }

  #checkReloadable(): void {
    if (this.#slots.length === this.#workers) {
      throw new StateError(
        'ERR_RELOAD',
        'the application can not be loaded again, since its one shard runs in the main thread: restart the process',
      )
    }
    const version = readVersion()
    if (version !== this.#version) {
      throw new StateError(
        'ERR_RELOAD',
        `shardws ${version} has been installed over the ${this.#version} that runs: restart the process`,
      )
    }
  }

  #reloadFailed(error: unknown): void {
    count(this.#counters, PrimaryCounter.RELOADS_FAILED)
    this.#reporter.reloadFailed(error)
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

/** Only where proxies bring clients that the primary does not see. */
function createClientCounts(options: ResolvedOptions, shards: number): ClientCounts | undefined {
  const { connection, maxConnections, maxConnectionsPerIp } = options
  if (maxConnectionsPerIp === 0 || connection.trustProxy.length === 0) return undefined
  const capacity = Math.min(maxConnections, shards * MAX_CONNECTIONS_PER_SHARD)
  return ClientCounts.create(maxConnectionsPerIp, capacity, randomInt(2 ** 31))
}

function createClientRates({ maxHandshakeRatePerIp: rate }: ResolvedOptions): ClientRates | undefined {
  return rate === 0 ? undefined : ClientRates.create(rate, randomInt(2 ** 31))
}

function noWayForUnix(): OptionError {
  const text =
    'Unix domain sockets get to threads as descriptors only: install koffi, or set SHARDWS_HANDOFF to local for one shard in the main thread'
  return new OptionError('ERR_HANDOFF', text)
}

let warned = false

function warnOfLocalShard(reporter: Reporter, asked: string | undefined): void {
  if (warned) return
  warned = true
  const why =
    asked === 'local'
      ? 'SHARDWS_HANDOFF is local'
      : 'this platform cannot hand sockets to threads (it needs Node 24.21, or koffi)'
  reporter.warn(`${why}: one shard runs in the main thread`, { event: 'handoff.missing' })
}
