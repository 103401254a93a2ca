/** How a new connection's shard is chosen. */
export type Balance = 'least-connections' | 'round-robin' | 'client-address'

/** The header in which a trusted proxy says who the client is. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded' | 'none'

/** What one connection may do: the part of the options that every shard gets. */
export interface ConnectionOptions {
  /** Only upgrades of this path are accepted, others are 404; default: any path. */
  path: string | undefined
  /** Allowed values of `Origin`; a request with another, or without one, is 403; default: any. */
  origins: readonly string[] | undefined
  /** Subprotocols the server speaks; the first that the client offers is chosen. */
  protocols: readonly string[]
  /**
   * The proxies whose word about who the client is counts: addresses, networks (`10.0.0.0/8`), and `unix` for whoever
   * connects to a Unix domain socket. Default: none.
   */
  trustProxy: readonly string[]
  /** The header that these proxies write; no other is looked at. Default `x-forwarded-for`. */
  trustProxyHeader: ForwardedHeader
  /** Connections begin with a PROXY header; those that are not from `trustProxy` are closed. Default false. */
  proxyProtocol: boolean
  /** Bytes of the opening request's head; over it 431. 128 to 65536, default 16384. */
  maxHeaderBytes: number
  /** Header lines of the opening request; over it 431. 1 to 2000, default 100. */
  maxHeaderLines: number
  /** Bytes of a message; over it 1009. 0 to 536870888, default 1 MiB. */
  maxPayload: number
  /** Frames of a message; over it 1008. 1 to 2^32 - 1, default 2^20. */
  maxFragments: number
  /** Bytes that may wait for a peer that does not read. 0 to 2^31 - 1, default 1 MiB. */
  maxBackpressure: number
  /** What happens to a message beyond `maxBackpressure`; default `close` (1008). */
  backpressurePolicy: 'close' | 'drop'
  /** While more bytes than this wait for the peer nothing is read from it. 0 to 2^31 - 1, default 64 KiB. */
  highWaterMark: number
  /** Milliseconds for the opening handshake, `upgrade` hook included; over it 408. Default 10000. */
  handshakeTimeoutMs: number
  /** Milliseconds without a byte from the peer after which it is pinged; 0 for never. Default 30000. */
  idlePingMs: number
  /** Milliseconds without a byte from the peer after which it is dropped (1006); 0 for never. Default 60000. */
  idleTimeoutMs: number
  /** Milliseconds for the closing handshake, then TCP is cut. Default 5000. */
  closeTimeoutMs: number
}

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'
