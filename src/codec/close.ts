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

const UTF8 = /* @__PURE__ */ new TextEncoder()

/** Reads a payload that the codec has validated: its length, its code and its UTF-8 are right. */
export function parseClose(payload: Uint8Array): CloseStatus {
  if (payload.length < 2) return NO_STATUS
  const reason =
    payload.length === 2 ? '' : new TextDecoder('utf-8', { ignoreBOM: true }).decode(payload.subarray(2))
  return { code: (payload[0] << 8) | payload[1], reason }
}

/** The payload for `code`; an empty one for 1005. */
export function serializeClose(code: number, reason: string): Uint8Array<ArrayBuffer> {
  if (code === CloseCode.NO_STATUS) return new Uint8Array()
  const text = reason === '' ? undefined : UTF8.encode(reason)
  const payload = new Uint8Array(2 + (text?.length ?? 0))
  payload[0] = code >>> 8
  payload[1] = code
  if (text !== undefined) payload.set(text, 2)
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
  if (typeof reason !== 'string' || (reason !== '' && UTF8.encode(reason).length > MAX_CLOSE_REASON)) {
    throw new StateError(
      'ERR_CLOSE_REASON',
      `a close reason is a string of at most ${MAX_CLOSE_REASON} bytes of UTF-8`,
    )
  }
}
