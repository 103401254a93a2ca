import type { ShardError } from '../errors.js'
import type { Ledger } from '../ledger.js'
import type { Stop } from '../stop.js'
import type { TcpHandle } from '../tcp-handle.js'
import type { TlsMaterial } from '../tls-material.js'

/** One life of a shard, from its start to its end, as the primary sees it. */
export interface ShardProcess {
  /** Resolves when the application is started and sockets are welcome. Never rejects; stays pending if it ends first. */
  readonly ready: Promise<void>
  /**
   * Resolves when it is over and everything it had is released: with what ended it, or undefined when it was asked
   * to end. Never rejects.
   */
  readonly ended: Promise<ShardError | undefined>
  /** Hands over an accepted socket of which nothing was read. See `HandoffLine.send`. */
  send(handle: TcpHandle, admission: number): boolean
  /** Has connections that come from now on begin with other certificates. */
  reloadTls(tls: TlsMaterial): void
  /** Nothing is sent to it any more: asks it to serve what it has, and to end when its last connection has. */
  drain(): void
  /**
   * Asks it to close its connections, to cut what is left when the time is over, and to end. May be asked again, in
   * more of a hurry.
   */
  stop(stop: Stop): void
  /** Ends it at once. */
  kill(): void
}

/** Starts the shards of a generation, each time with the ledger of a new life. */
export interface ShardLauncher {
  launch(index: number, ledger: Ledger): ShardProcess
  /** Shards that are launched from now on begin with these certificates. */
  reloadTls(tls: TlsMaterial): void
  /** No shard is to be replaced any more. */
  beginClose(): void
  /** Releases what the shards shared. All of them have ended. */
  close(): Promise<void>
}
