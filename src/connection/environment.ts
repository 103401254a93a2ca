import type { Duplex } from 'node:stream'
import type { AddressSet } from '../address.js'
import type { App } from '../app.js'
import type { ClientCounts } from '../client-counts.js'
import type { ClientRates } from '../client-rates.js'
import type { Codec } from '../codec/codec.js'
import type { Endpoint } from '../handshake/forwarded.js'
import type { Log } from '../log.js'
import type { ConnectionOptions } from '../options.js'
import type { Payloads } from '../protocol/payloads.js'
import type { Arrears } from './arrears.js'
import type { Compression } from './compression.js'
import type { Connection } from './connection.js'
import type { Deadlines } from './deadlines.js'
import type { HttpInput } from './http-input.js'
import type { MemoryBudget } from './memory-budget.js'
import type { Opening } from './opening.js'
import type { Turn } from './turn.js'

/** What all connections of a shard share. */
export interface Environment {
  readonly app: App<unknown>
  readonly options: ConnectionOptions
  /** Proxies whose word about who the client is counts. */
  readonly trusted: AddressSet
  /** Counts of clients behind these; undefined where there is no limit to them. */
  readonly clients: ClientCounts | undefined
  /** How fast these open connections; undefined where there is no limit. */
  readonly rates: ClientRates | undefined
  readonly codec: Codec
  readonly payloads: Payloads
  /** Where the option `perMessageDeflate` is set. */
  readonly compression: Compression | undefined
  /** Of all shards. */
  readonly memory: MemoryBudget
  readonly turn: Turn
  readonly arrears: Arrears
  readonly deadlines: Deadlines
  /** Of the shard's `Ledger`. */
  readonly counters: Float64Array
  /** Connections whose opening handshake is not over. */
  readonly openings: Set<Opening>
  /** The open connections. */
  readonly connections: Set<Connection>
  readonly log: Log
  readonly http: HttpEndpoint
  /** The next connection's id. */
  nextId: number
  /** New connections are refused, since the shard stops. */
  stopping: boolean
}

/** Takes the connections that do not speak WebSocket. */
export interface HttpEndpoint {
  serve(stream: Duplex, visit: HttpVisit): void
}

/** A connection's stay at HTTP. */
export interface HttpVisit {
  /** The number under which the primary counts the connection. */
  readonly admission: number
  /** Who has the other end of it, TCP's or whom the PROXY header names. */
  readonly peer: Endpoint
  /** What is read of it. */
  readonly input: Pick<HttpInput, 'withhold' | 'release' | 'isWithheld' | 'expectBody'>
  /**
   * Gives the connection back when a later request is not for HTTP: all answers to those before it are written.
   *
   * @param bytes from that request on, as far as they have come
   */
  end(bytes: Buffer): void
}
