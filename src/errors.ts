import { CloseCode } from './rfc6455.js'

/**
 * Every error of this package: a class for what kind of fault it is, a stable `code` for which one.
 * Texts may change; classes and codes may not.
 */
export abstract class ShardwsError extends Error {
  /** Stable name of the fault, such as `ERR_FRAME_RESERVED_OPCODE`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  override get name(): string {
    return this.constructor.name
  }
}

// Classes that are published for browsers say their names themselves: what minifies a page renames classes.

/** A bad opening request. It is answered with an HTTP status, no frame is sent. */
export class HandshakeError extends ShardwsError {
  /** HTTP status code of the refusal. */
  readonly status: number
  /** Headers the refusal carries beside the usual ones, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: string, message: string, status: number, headers: Readonly<Record<string, string>> = {}) {
    super(code, message)
    this.status = status
    this.headers = headers
  }
}

/** A peer's fault that ends its connection with `closeCode`. It is never thrown at the application. */
export abstract class PeerError extends ShardwsError {
  /** Code of the Close frame that the fault is answered with. */
  readonly closeCode: number

  constructor(code: string, message: string, closeCode: number) {
    super(code, message)
    this.closeCode = closeCode
  }
}

/** The peer breaks RFC 6455: close 1002. */
export class ProtocolError extends PeerError {
  override get name(): string {
    return 'ProtocolError'
  }
}

/** Text or a close reason that is not UTF-8: close 1007 (RFC 6455 8.1). */
export class InvalidTextError extends PeerError {
  override get name(): string {
    return 'InvalidTextError'
  }
}

/** A compressed message that can't be inflated: close 1007 (RFC 7692 7.2.2). */
export class CompressionError extends PeerError {}

/** The peer goes over a bound: close 1009 for sizes, 1008 for counts and rates, 1013 for what all share. */
export class LimitError extends PeerError {
  override get name(): string {
    return 'LimitError'
  }
}

/** The caller's misuse: thrown at once, the connection lives on. */
export class StateError extends ShardwsError {
  override get name(): string {
    return 'StateError'
  }
}

/** An option or a flag that cannot be used: thrown at once, before anything is started. */
export class OptionError extends ShardwsError {
  override get name(): string {
    return 'OptionError'
  }
}

/** A shard crashed, did not start, or a hand-off to it failed. */
export class ShardError extends ShardwsError {}

/**
 * What the codec's error numbers mean (the numbers are in assembly/layout.ts). The index is the number.
 */
const FRAME_ERRORS: readonly (readonly [code: string, closeCode: number, text: string])[] = [
  ['ERR_FRAME_NONE', CloseCode.INTERNAL_ERROR, 'no error'],
  [
    'ERR_FRAME_RESERVED_BITS',
    CloseCode.PROTOCOL_ERROR,
    'a reserved bit is set and no extension uses it (RFC 6455 5.2)',
  ],
  ['ERR_FRAME_RESERVED_OPCODE', CloseCode.PROTOCOL_ERROR, 'the opcode is reserved (RFC 6455 5.2)'],
  ['ERR_FRAME_CONTROL_FRAGMENTED', CloseCode.PROTOCOL_ERROR, 'a control frame is fragmented (RFC 6455 5.5)'],
  [
    'ERR_FRAME_CONTROL_TOO_LONG',
    CloseCode.PROTOCOL_ERROR,
    'a control frame is longer than 125 bytes (RFC 6455 5.5)',
  ],
  [
    'ERR_FRAME_UNEXPECTED_CONTINUATION',
    CloseCode.PROTOCOL_ERROR,
    'a continuation frame has nothing to continue (RFC 6455 5.4)',
  ],
  [
    'ERR_FRAME_EXPECTED_CONTINUATION',
    CloseCode.PROTOCOL_ERROR,
    'a new data frame begins inside a fragmented message (RFC 6455 5.4)',
  ],
  ['ERR_FRAME_MASK_REQUIRED', CloseCode.PROTOCOL_ERROR, 'a frame from a client is not masked (RFC 6455 5.1)'],
  ['ERR_FRAME_MASK_FORBIDDEN', CloseCode.PROTOCOL_ERROR, 'a frame from a server is masked (RFC 6455 5.1)'],
  [
    'ERR_FRAME_LENGTH_NOT_MINIMAL',
    CloseCode.PROTOCOL_ERROR,
    'the payload length is not in its shortest form (RFC 6455 5.2)',
  ],
  [
    'ERR_FRAME_LENGTH_TOP_BIT',
    CloseCode.PROTOCOL_ERROR,
    'the top bit of a 64-bit payload length is set (RFC 6455 5.2)',
  ],
  ['ERR_MESSAGE_TOO_BIG', CloseCode.MESSAGE_TOO_BIG, 'the message is longer than maxPayload'],
  [
    'ERR_MESSAGE_TOO_MANY_FRAGMENTS',
    CloseCode.POLICY_VIOLATION,
    'the message has more fragments than maxFragments',
  ],
  ['ERR_INVALID_UTF8', CloseCode.INVALID_DATA, 'text or a close reason is not UTF-8 (RFC 6455 8.1)'],
  ['ERR_CLOSE_LENGTH', CloseCode.PROTOCOL_ERROR, 'a Close frame has a payload of one byte (RFC 6455 5.5.1)'],
  [
    'ERR_CLOSE_CODE',
    CloseCode.PROTOCOL_ERROR,
    'the close code must not be used in a Close frame (RFC 6455 7.4)',
  ],
]

/** Faults of the codec's that are found elsewhere too: compressed messages are looked at when they are inflated. */
export const FrameFault = { MESSAGE_TOO_BIG: 11, INVALID_UTF8: 13 } as const

/** The error that stands for an error number of the codec. */
export function frameError(number: number): PeerError {
  const [code, closeCode, text] = FRAME_ERRORS[number] ?? FRAME_ERRORS[0]
  if (closeCode === CloseCode.INVALID_DATA) return new InvalidTextError(code, text, closeCode)
  if (closeCode === CloseCode.MESSAGE_TOO_BIG || closeCode === CloseCode.POLICY_VIOLATION) {
    return new LimitError(code, text, closeCode)
  }
  return new ProtocolError(code, text, closeCode)
}
