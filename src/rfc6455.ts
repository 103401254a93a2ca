/**
 * The numbers of RFC 6455, by the names the RFC gives them.
 */

/** RFC 6455 5.2 and 11.8. */
export const Opcode = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const

/** Beside the opcode of a message's first frame: the message is compressed (RFC 7692 6). */
export const RSV1 = 0x40

/** RFC 6455 7.4.1 and the registry it opened (1012 to 1014). */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  /** Never on the wire: the peer's Close frame had no code. */
  NO_STATUS: 1005,
  /** Never on the wire: TCP ended without a Close frame. */
  ABNORMAL: 1006,
  INVALID_DATA: 1007,
  POLICY_VIOLATION: 1008,
  MESSAGE_TOO_BIG: 1009,
  MANDATORY_EXTENSION: 1010,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  BAD_GATEWAY: 1014,
} as const

/** RFC 6455 1.3: hashed together with the client's key. */
export const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** RFC 6455 4.1: the only version there is. */
export const VERSION = '13'

/** RFC 6455 5.5: the longest payload of a control frame, in bytes. */
export const MAX_CONTROL_PAYLOAD = 125

/** The longest reason of a Close frame, in bytes of UTF-8: a control payload less the code. */
export const MAX_CLOSE_REASON = MAX_CONTROL_PAYLOAD - 2

/**
 * Whether `code` may stand in a Close frame: 1000-1003, 1007-1014 and 3000-4999 (RFC 6455 7.4).
 */
export function isValidCloseCode(code: number): boolean {
  return (
    Number.isInteger(code) &&
    ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
      (code >= 3000 && code <= 4999))
  )
}
