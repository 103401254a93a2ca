export * from './app.js'
export {
  CompressionError,
  HandshakeError,
  InvalidTextError,
  LimitError,
  OptionError,
  PeerError,
  ProtocolError,
  ShardError,
  ShardwsError,
  StateError,
} from './errors.js'
export type { Logger } from './log.js'
export type { Balance, ConnectionOptions, DeflateOptions, LogLevel } from './options.js'
export { type CloseOptions, Server, type ServerEvents } from './primary/server.js'
export type { ShardState, ShardStats, Traffic } from './primary/shard-slot.js'
export type { RefusedStats, ServerStats } from './primary/stats.js'
export { CloseCode } from './rfc6455.js'
export { serve } from './serve.js'
export type { PrimaryOptions, ServeOptions } from './serve-options.js'
export type { Pem, TlsCertificate, TlsOptions } from './tls-options.js'
