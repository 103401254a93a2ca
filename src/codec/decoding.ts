import type { PeerError } from '../errors.js'
import type { OwnBytes } from './bytes.js'
import type { Role } from './role.js'

/** How a decoder reads. Only `role` must be given. */
export interface DecoderOptions {
  /** What the local end is: a server takes masked frames only, a client unmasked ones only (RFC 6455 5.1). */
  readonly role: Role
  /**
   * Bytes of a message, 0 to 536,870,888; over it LimitError, close 1009. Default 1,048,576. A compressed message may
   * have an eighth and 1,024 bytes more, which is what compressing may add: its size inflated is for who inflates it to
   * limit.
   */
  readonly maxPayload?: number
  /** Frames of a message, 1 to 2^32 - 1; over it LimitError, close 1008. Default 1,048,576. */
  readonly maxFragments?: number
  /**
   * permessage-deflate was negotiated, so that messages may be compressed: RSV1 is allowed in the first frame of a
   * message (RFC 7692 6). Default false: it is a ProtocolError, close 1002.
   */
  readonly deflate?: boolean
  /** Whole messages (true, the default), or every frame as it was on the wire (false). */
  readonly messages?: boolean
}

/** A text message, its fragments joined. */
export interface TextMessage {
  readonly type: 'text'
  readonly data: string
}

/** A binary message, its fragments joined, in an ArrayBuffer of its own. */
export interface BinaryMessage {
  readonly type: 'binary'
  readonly data: OwnBytes
}

/**
 * A compressed message, its fragments joined: what `deflate` is for. To inflate it is the caller's, and to limit what
 * comes of it; text is not known to be UTF-8 before.
 */
export interface CompressedMessage {
  readonly type: 'compressed'
  /** Whether it is binary, else it is text. */
  readonly binary: boolean
  /** As on the wire but unmasked, without the 00 00 FF FF of RFC 7692 7.2.2, in an ArrayBuffer of its own. */
  readonly data: OwnBytes
}

/** A Ping, to be answered with a Pong of the same payload (RFC 6455 5.5.3), or a Pong. */
export interface PingPong {
  readonly type: 'ping' | 'pong'
  /** 0 to 125 bytes, in an ArrayBuffer of their own. */
  readonly data: OwnBytes
}

/** A Close frame: nothing that follows it is decoded (RFC 6455 5.5.1). */
export interface CloseMessage {
  readonly type: 'close'
  /** 1005 where the frame had none (RFC 6455 7.1.5). */
  readonly code: number
  readonly reason: string
}

/** What ends a stream that breaks a rule; nothing after it is decoded. Answer with a Close of `error.closeCode`. */
export interface Violation {
  readonly type: 'error'
  /** A ProtocolError, an InvalidTextError or a LimitError. */
  readonly error: PeerError
  /** Which byte of the stream decided it, counted from 0. */
  readonly offset: number
}

export type Message = TextMessage | BinaryMessage | PingPong | CloseMessage | Violation

/** A frame as it was on the wire (RFC 6455 5.2), but unmasked. */
export interface Frame {
  readonly type: 'frame'
  /** 0 for a continuation. */
  readonly opcode: number
  readonly fin: boolean
  /** It begins a compressed message, whose frames are those up to the next `fin` that is no control frame's. */
  readonly rsv1: boolean
  /**
   * Unmasked, in an ArrayBuffer of its own. Text may end inside of a character where `fin` is false; of a compressed
   * message it is as on the wire.
   */
  readonly payload: OwnBytes
  /** Which byte of the stream is its first, counted from 0. */
  readonly offset: number
  /** Bytes of its header, 2 to 14; the last four are the masking key where `masked`. */
  readonly headerLength: number
  readonly masked: boolean
}

/** One direction of a connection. It holds nothing that would have to be given back. */
export interface Decoder<Item = Message> {
  /**
   * What the next bytes of the stream complete, in order; a peer's violation comes as the last item and is never
   * thrown. After it, and in messages after a Close, there is nothing more.
   *
   * @param chunk any number of bytes. They are not changed, unless they lie in the codec's `arena`
   * @throws StateError (`ERR_CODEC_BYTES`) when it is no ArrayBuffer nor a view of one
   */
  push(chunk: ArrayBuffer | ArrayBufferView): Item[]
  /** The violation that ended the stream. */
  readonly error: PeerError | undefined
}
