import { StateError } from '../errors.js'
import { CloseCode, isValidCloseCode, MAX_CLOSE_REASON } from '../rfc6455.js'

/**
 * The payload of a Close frame (RFC 6455 5.5.1): nothing, or a code and a reason in UTF-8.
 */
export interface CloseStatus {
  /** 1005 where the frame had none. */
  readonly code: number
  readonly reason: string
}

const NO_STATUS: CloseStatus = { code: CloseCode.NO_STATUS, reason: '' }

/** Reads a payload that the codec has validated: its length, its code and its UTF-8 are right. */
export function parseClose(payload: Buffer): CloseStatus {
  if (payload.length < 2) return NO_STATUS
  return { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) }
}

/** The payload for `code`; an empty one for 1005. */
export function serializeClose(code: number, reason: string): Buffer {
  if (code === CloseCode.NO_STATUS) return Buffer.alloc(0)
  const payload = Buffer.allocUnsafe(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code, 0)
  payload.write(reason, 2)
  return payload
}

/**
 * Refuses what must not be sent.
 *
 * @throws StateError (`ERR_CLOSE_CODE`, `ERR_CLOSE_REASON`)
 */
export function checkClose(code: number, reason: string): void {
  if (!isValidCloseCode(code)) {
    throw new StateError(
      'ERR_CLOSE_CODE',
      `${String(code)} must not be sent as a close code; use 1000-1003, 1007-1014 or 3000-4999`,
    )
  }
  if (typeof reason !== 'string' || Buffer.byteLength(reason) > MAX_CLOSE_REASON) {
    throw new StateError(
      'ERR_CLOSE_REASON',
      `a close reason is a string of at most ${MAX_CLOSE_REASON} bytes of UTF-8`,
    )
  }
}
