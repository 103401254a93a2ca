import type { Socket as NetSocket } from 'node:net'
import type { MessagePort } from 'node:worker_threads'
import type { ClientCountsFacts } from './client-counts.js'
import type { ClientRatesFacts } from './client-rates.js'
import type { Board } from './ledger.js'
import type { LogRecord } from './log.js'
import type { ConnectionOptions, LogLevel } from './options.js'
import type { Stop } from './stop.js'
import type { TlsMaterial } from './tls-material.js'

/** What a shard is started with: the argument of its one, never-ending Piscina task. */
export interface ShardTask {
  index: number
  workers: number
  /** How many reloads there were before. */
  generation: number
  /** The shard's end of the channel; transferred with the task. */
  port: MessagePort
  /** The application module's URL; undefined for the built-in one. */
  app: string | undefined
  options: ConnectionOptions
  logLevel: LogLevel
  /** Undefined: plain TCP. */
  tls: TlsMaterial | undefined
  /** Where clients behind proxies are counted; undefined where there is no limit to them. */
  clients: ClientCountsFacts | undefined
  /** How fast each client opens connections; undefined where there is no limit. */
  rates: ClientRatesFacts | undefined
  /** Where the log goes: lines on stderr, or the logger that the primary has. */
  logTo: 'text' | 'json' | 'logger'
  /** The codec, compiled once in the primary. */
  codecModule: WebAssembly.Module
  /** Memory of the shard's `Ledger`. */
  ledger: SharedArrayBuffer
  /** The counters of all shards and of the primary. */
  board: Board
  /** The path of the metrics; undefined for none. */
  metricsPath: string | undefined
}

/** Primary to shard. `sentMs` is when it was accepted (`monotonicMs`). */
export type ToShard =
  /** An accepted socket, transferred (Node >= 24.21, >= 26.6). */
  | { type: 'socket'; socket: NetSocket; admission: number; sentMs: number }
  /** Duplicated descriptors of accepted sockets, now the shard's: for each its number and that of its admission. */
  | { type: 'descriptors'; pairs: number[]; sentMs: number }
  /** New connections get these certificates. */
  | { type: 'tls'; tls: TlsMaterial }
  /** No more will come: end when the last one has ended. */
  | { type: 'drain' }
  /** Take no more; close all with `code` over `spreadMs`; `timeoutMs` after that cut what is left. */
  | ({ type: 'stop' } & Stop)

/** Shard to primary. */
export type FromShard =
  /** The thread has loaded the shard's own modules; now comes the application. */
  | { type: 'begun' }
  /** The application is loaded and started, sockets are welcome. */
  | { type: 'ready' }
  /** The application could not be loaded or started. The task then ends. */
  | { type: 'failed'; error: Error }
  /** For the logger. */
  | { type: 'log'; record: LogRecord }
  /** All connections have ended. The task then ends. */
  | { type: 'stopped' }
