/** How a new connection's shard is chosen. */
export type Balance = 'least-connections' | 'round-robin' | 'client-address'

/** Compression of messages (permessage-deflate, RFC 7692). */
export interface DeflateOptions {
  /** Compress each message without the ones before: less memory, less compression. Default false. */
  serverNoContextTakeover: boolean
  /** Have clients do so. Default false. */
  clientNoContextTakeover: boolean
  /** Refer to at most 2^this bytes before. 8 to 15, default 15. */
  serverMaxWindowBits: number
  /** Have clients that can do so. 8 to 15, default 15. */
  clientMaxWindowBits: number
  /** Messages of fewer bytes are sent as they are, unless `send` says otherwise. 0 to 2^31 - 1, default 1024. */
  threshold: number
  /** How much time zlib takes to make it small, 1 to 9; 0 compresses nothing. Default 6. */
  level: number
  /** How much memory zlib takes for it, 1 to 9. Default 8. */
  memLevel: number
  /**
   * Connections per shard for which zlib keeps the messages before at a time; who has sent nothing for the longest time
   * makes room. 1 to 131,072, default 128.
   */
  maxContexts: number
}

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
  /** Compression of messages; undefined: none. */
  perMessageDeflate: DeflateOptions | undefined
  /** Bytes of a message; over it 1009. 0 to 536870888, default 1 MiB. */
  maxPayload: number
  /** Frames of a message; over it 1008. 1 to 2^32 - 1, default 2^20. */
  maxFragments: number
  /**
   * Frames a second from one peer, of which a message has one or more; a second's worth at once. 0 to 1,000,000, default
   * 0: no limit.
   */
  maxMessagesPerSecond: number
  /** Bytes a second from one peer, as they are on the wire or within TLS; a second's worth at once. 0 to 2^31 - 1, default 0: no limit. */
  maxBytesPerSecond: number
  /** What happens to a peer that sends more: it is not read from for a while, or closed (1008). Default `pause`. */
  rateLimitPolicy: 'pause' | 'close'
  /** Bytes that may wait for a peer that does not read. 0 to 2^31 - 1, default 1 MiB. */
  maxBackpressure: number
  /** What happens to a message beyond `maxBackpressure`; default `close` (1008). */
  backpressurePolicy: 'close' | 'drop'
  /** While more bytes than this wait for the peer nothing is read from it. 0 to 2^31 - 1, default 64 KiB. */
  highWaterMark: number
  /**
   * Bytes that all clients together may make the server hold: parts of messages, what waits for those that do not read,
   * and so on. Who asks for more is closed with 1013, or gets 503. 1 MiB to 64 TiB, default: a quarter of the memory that
   * the machine has, or the control group.
   */
  maxMemory: number
  /** Milliseconds for the opening handshake, `upgrade` hook included; over it 408. Default 10000. */
  handshakeTimeoutMs: number
  /** Milliseconds that a request of plain HTTP may take to come in, body and all; over it 408. Default 30000. */
  httpRequestTimeoutMs: number
  /** Milliseconds that a connection of plain HTTP is kept between two requests. 1 to 86,400,000, default 5000. */
  httpKeepAliveMs: number
  /** Requests of plain HTTP over one connection; it ends with the answer to the last. 0 to 2^31 - 1, default 10,000; 0: no limit. */
  maxHttpRequests: number
  /** Milliseconds without a byte from the peer after which it is pinged; 0 for never. Default 30000. */
  idlePingMs: number
  /** Milliseconds without a byte from the peer after which it is dropped (1006); 0 for never. Default 60000. */
  idleTimeoutMs: number
  /** Milliseconds for the closing handshake, then TCP is cut. Default 5000. */
  closeTimeoutMs: number
}

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'
