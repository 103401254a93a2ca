import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { OptionError } from './errors.js'
import type { SendStatus, Socket } from './socket.js'

export type { SendStatus, Socket }

/** Request headers: names in lower case; what came in several lines is joined with `, ` (RFC 9110 5.3), cookies with `; `. */
export type RequestHeaders = Readonly<Record<string, string>>

/** The opening request, as facts. Parsed when first looked at. */
export interface RequestFacts {
  /** The request target as it was sent: path and query, such as `/chat?room=1`. */
  readonly url: string
  readonly headers: RequestHeaders
  /** Address of the TCP peer; empty when it was gone before it was first asked for. */
  readonly remoteAddress: string
  /** Port of the TCP peer; 0 when it was gone before it was first asked for. */
  readonly remotePort: number
  /** What the TLS handshake found out; undefined where the server has no TLS. */
  readonly tls: TlsFacts | undefined
}

/** The TLS of a connection. */
export interface TlsFacts {
  /** `TLSv1.3` or `TLSv1.2`. */
  readonly version: string
  /** By its standard name, such as `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string
  /** The host name that the client asked for (SNI); undefined when it asked for none. */
  readonly servername: string | undefined
  /** Whether the session of an earlier connection was resumed. */
  readonly resumed: boolean
  /** Whether the client has a certificate that the option `tls.ca` vouches for; false when none was asked for. */
  readonly authorized: boolean
  /** Why it is not, where a certificate was asked for: OpenSSL's code, such as `CERT_HAS_EXPIRED`. */
  readonly authorizationError: string | undefined
  /** The client's certificate, trusted or not; undefined when it has none, or none was asked for. */
  readonly certificate: X509Certificate | undefined
}

/** What the `upgrade` hook decides from. */
export interface UpgradeRequest extends RequestFacts {
  /** Subprotocols the client offers, in its order of preference (RFC 6455 4.1). */
  readonly protocols: readonly string[]
  /** Aborted when the client goes away or the handshake's time is over while the hook is pending. */
  readonly signal: AbortSignal
}

/** Accept the connection. */
export interface Acceptance<Data> {
  /** Becomes `socket.data`. */
  data?: Data
  /** Response headers to add, such as `Set-Cookie`. */
  headers?: Readonly<Record<string, string>>
  /** One of the offered subprotocols; by default the first offered one that the `protocols` option lists. */
  protocol?: string
  status?: undefined
}

/** Refuse the connection with an HTTP response. */
export interface Refusal {
  /** 300 to 599, but not 304. */
  status: number
  headers?: Readonly<Record<string, string>>
  /** Text of the response's body; by default the status' reason phrase. */
  body?: string
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing accepts
export type UpgradeDecision<Data> = Acceptance<Data> | Refusal | undefined | void

/** What an application knows of the shard that runs it. */
export interface ShardContext {
  /** 0 to `workers` - 1. A shard that replaces a crashed one has its index. */
  readonly index: number
  /** How many shards the server has. */
  readonly workers: number
  /**
   * 0, and one more for each reload. While the connections of an older generation end there are two shards of each
   * index.
   */
  readonly generation: number
}

interface AppHooks<Data> {
  /** Before the shard takes connections. When it fails at start-up, `serve` rejects. */
  start?(context: ShardContext): unknown
  /** Decides about an opening request; without it every well-formed one is accepted. */
  upgrade?(request: UpgradeRequest): UpgradeDecision<Data> | Promise<UpgradeDecision<Data>>
  /** The connection is open. No message comes before it was called. */
  open?(socket: Socket<Data>): unknown
  /**
   * After `send` returned `'buffered'`, or `'dropped'` for want of room: the peer reads again, `bufferedAmount` is at
   * most `highWaterMark`.
   */
  drain?(socket: Socket<Data>): unknown
  /** A Ping came; its Pong is sent already. `payload` is valid during the call. */
  ping?(socket: Socket<Data>, payload: Buffer): unknown
  /** A Pong came, asked for or not. `payload` is valid during the call. */
  pong?(socket: Socket<Data>, payload: Buffer): unknown
  /**
   * The connection has ended, TCP included; called once for each `open`.
   *
   * @param code the close code that ended it: the peer's, or ours where ours came first (1002, 1007, 1009, ... for
   *   a peer's fault); 1005 when the Close frame had none; 1006 when TCP ended without one (RFC 6455 7.1.5)
   * @param reason the text beside the code
   */
  close?(socket: Socket<Data>, code: number, reason: string): unknown
  /**
   * A handler threw or its promise rejected; the connection is then closed with 1011. Without this hook the error
   * is logged. `socket` is undefined where there is none yet (`upgrade`, `http`).
   */
  error?(error: unknown, socket: Socket<Data> | undefined): unknown
  /** Requests that are not WebSocket upgrades; by default `GET /healthz` is 200, `GET /readyz` 200 or 503, the rest 426 or 404. */
  http?(request: IncomingMessage, response: ServerResponse): unknown
  /** The shard stops: its connections have ended. The server waits for the promise, within its stop time-out. */
  stop?(): unknown
}

/** An application whose messages are its own to keep: `string` for text, `Buffer` for binary. */
export interface MessageApp<Data = undefined> extends AppHooks<Data> {
  views?: false
  /**
   * A message. Calls come in the order of arrival, one at a time; a returned promise is not waited for before the
   * next call (use `socket.pause()` and `resume()` where it should be), but its rejection is an `error`.
   */
  message?(socket: Socket<Data>, data: string | Buffer, isBinary: boolean): unknown
}

/** An application that takes messages as views of the receive buffer: no copy, valid during the call only. */
export interface ViewApp<Data = undefined> extends AppHooks<Data> {
  views: true
  /** A message; `data` is its bytes (valid UTF-8 for text) and is overwritten once the call has returned. */
  message?(socket: Socket<Data>, data: Buffer, isBinary: boolean): unknown
}

export type App<Data = undefined> = MessageApp<Data> | ViewApp<Data>

const HOOKS = [
  'start',
  'upgrade',
  'open',
  'message',
  'drain',
  'ping',
  'pong',
  'close',
  'error',
  'http',
  'stop',
]

/**
 * Types and checks an application module: `export default defineApp({ message(socket, data) { ... } })`.
 *
 * @throws OptionError (`ERR_APP`) for a hook that does not exist or is no function
 */
export function defineApp<Data = undefined>(app: ViewApp<Data>): ViewApp<Data>
export function defineApp<Data = undefined>(app: MessageApp<Data>): MessageApp<Data>
export function defineApp<Data = undefined>(app: App<Data>): App<Data>
export function defineApp<Data>(app: App<Data>): App<Data> {
  for (const [name, value] of Object.entries(app)) {
    if (name === 'views') {
      if (typeof value !== 'boolean') throw new OptionError('ERR_APP', 'app.views must be true or false')
    } else if (!HOOKS.includes(name)) {
      throw new OptionError('ERR_APP', `app.${name} is not a hook; there are: ${HOOKS.join(', ')}`)
    } else if (value !== undefined && typeof value !== 'function') {
      throw new OptionError('ERR_APP', `app.${name} must be a function`)
    }
  }
  return app
}
