export * from './app.js'
export {
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
export type { Balance, ConnectionOptions, LogLevel } from './options.js'
export {
  type CloseOptions,
  type RefusedStats,
  Server,
  type ServerEvents,
  type ServerStats,
} from './primary/server.js'
export type { ShardState, ShardStats, Traffic } from './primary/shard-slot.js'
export { CloseCode } from './rfc6455.js'
export { serve } from './serve.js'
export type { PrimaryOptions, ServeOptions } from './serve-options.js'
