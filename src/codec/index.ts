/**
 * The codec without the server, published as `shardws/codec`: for browsers, workers, Node, Deno, Bun. Nothing here
 * knows a socket, a clock or Node.
 */
export {
  InvalidTextError,
  LimitError,
  OptionError,
  PeerError,
  ProtocolError,
  ShardwsError,
  StateError,
} from '../errors.js'
export { acceptKey, isValidKey } from '../handshake/accept.js'
export {
  checkDeflate,
  type DeflateAgreement,
  type DeflateOffer,
  negotiateDeflate,
  offerDeflate,
} from '../handshake/deflate.js'
export {
  type Extension,
  type ExtensionParameter,
  parseExtensions,
  serializeExtensions,
} from '../handshake/extensions.js'
export { CloseCode, isValidCloseCode, Opcode } from '../rfc6455.js'
export type {
  BinaryMessage,
  CloseMessage,
  CompressedMessage,
  Decoder,
  DecoderOptions,
  Frame,
  Message,
  PingPong,
  TextMessage,
  Violation,
} from './decoding.js'
export {
  type Bytes,
  type EncodeOptions,
  FrameCodec,
  type FrameFields,
  type MessageOptions,
} from './frame-codec.js'
export {
  type CodecSource,
  loadCodec,
  loadCodecSync,
  type ResponseLike,
  type SyncCodecSource,
} from './load.js'
export type { Role } from './role.js'
