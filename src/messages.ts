import type { Socket as NetSocket } from 'node:net'
import type { MessagePort } from 'node:worker_threads'
import type { ClientCountsFacts } from './client-counts.js'
import type { ConnectionOptions, LogLevel } from './options.js'

/** What a shard is started with: the argument of its one, never-ending Piscina task. */
export interface ShardTask {
  index: number
  workers: number
  /** The shard's end of the channel; transferred with the task. */
  port: MessagePort
  /** The application module's URL; undefined for the built-in one. */
  app: string | undefined
  options: ConnectionOptions
  logLevel: LogLevel
  /** Where clients behind proxies are counted; undefined where there is no limit to them. */
  clients: ClientCountsFacts | undefined
  /** The codec, compiled once in the primary. */
  codecModule: WebAssembly.Module
  /** Memory of the shard's `Ledger`. */
  ledger: SharedArrayBuffer
}

/** Primary to shard. */
export type ToShard =
  /** An accepted socket, transferred (Node >= 24.21, >= 26.6). */
  | { type: 'socket'; socket: NetSocket; admission: number }
  /** Duplicated descriptors of accepted sockets, now the shard's: for each its number and that of its admission. */
  | { type: 'descriptors'; pairs: number[] }
  /** Take no more; close all with `code`; after `timeoutMs` cut what is left. */
  | { type: 'stop'; code: number; timeoutMs: number }

/** Shard to primary. */
export type FromShard =
  /** The application is loaded and started, sockets are welcome. */
  | { type: 'ready' }
  /** The application could not be loaded or started. The task then ends. */
  | { type: 'failed'; error: Error }
  /** All connections have ended. The task then ends. */
  | { type: 'stopped' }
