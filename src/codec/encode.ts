/**
 * Frame headers for sending (RFC 6455 5.2). Lengths are always in their shortest form.
 */

const FIN = 0x80
const RSV1 = 0x40
const MASK = 0x80
/** The longest header: 2 bytes, 8 of length, 4 of masking key. */
export const MAX_HEADER_LENGTH = 14

/** How long the header of a frame is, without a masking key, which takes 4 bytes more. */
export function headerLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 65536 ? 4 : 10
}

/**
 * Writes the header of a whole message of a server at `offset`: the two bytes that most messages have are written
 * without the questions that `writeHeader` asks.
 *
 * @returns the offset after the header
 */
export function writeServerHeader(
  target: Uint8Array,
  offset: number,
  opcode: number,
  payloadLength: number,
): number {
  if (payloadLength > 125) return writeHeader(target, offset, opcode, true, payloadLength)
  target[offset] = FIN | opcode
  target[offset + 1] = payloadLength
  return offset + 2
}

/**
 * Writes the header of a frame at `offset`.
 *
 * @param payloadLength bytes, 0 to 2^53 - 1
 * @param rsv1 the bit that permessage-deflate uses (RFC 7692 6)
 * @param maskKey in the client role the masking key, its first byte lowest; the payload is the caller's to mask
 * @returns the offset after the header
 */
export function writeHeader(
  target: Uint8Array,
  offset: number,
  opcode: number,
  fin: boolean,
  payloadLength: number,
  rsv1 = false,
  maskKey?: number,
): number {
  target[offset] = (fin ? FIN : 0) | (rsv1 ? RSV1 : 0) | opcode
  const masked = maskKey === undefined ? 0 : MASK
  let at = offset + 2
  if (payloadLength < 126) {
    target[offset + 1] = masked | payloadLength
  } else if (payloadLength < 65536) {
    target[offset + 1] = masked | 126
    target[at++] = payloadLength >>> 8
    target[at++] = payloadLength
  } else {
    target[offset + 1] = masked | 127
    const high = Math.floor(payloadLength / 0x1_0000_0000)
    target[at++] = high >>> 24
    target[at++] = high >>> 16
    target[at++] = high >>> 8
    target[at++] = high
    target[at++] = payloadLength >>> 24
    target[at++] = payloadLength >>> 16
    target[at++] = payloadLength >>> 8
    target[at++] = payloadLength
  }
  if (maskKey !== undefined) {
    target[at++] = maskKey
    target[at++] = maskKey >>> 8
    target[at++] = maskKey >>> 16
    target[at++] = maskKey >>> 24
  }
  return at
}
