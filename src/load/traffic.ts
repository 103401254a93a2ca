import { randomBytes } from 'node:crypto'
import { headerLength, MAX_HEADER_LENGTH, writeHeader } from '../codec/encode.js'
import { Opcode } from '../rfc6455.js'

/** Bytes that a batch of encoded messages takes at most, unless one message takes more. */
const BATCH_BYTES = 1024 * 1024

const TEXT = 'abcdefghijklmnopqrstuvwxyz 0123456789 '

/**
 * What every connection of a load run sends: one message, encoded as masked frames before the run, so that sending
 * costs one write and no work. Each frame of the batch has a masking key of its own.
 */
export class Traffic {
  /** The message as it must come back. */
  readonly payload: Buffer
  readonly opcode: number
  /** Frames, one behind the other, all of the same length. */
  readonly batch: Buffer
  /** Bytes of one frame. */
  readonly frameLength: number
  /** Frames in the batch. */
  readonly frames: number

  /**
   * @param payload the message; for text it must be UTF-8
   * @param most frames that are sent at once at the most
   */
  constructor(payload: Uint8Array, text: boolean, most: number) {
    this.opcode = text ? Opcode.TEXT : Opcode.BINARY
    this.payload = Buffer.from(payload)
    this.frameLength = headerLength(payload.length) + 4 + payload.length
    this.frames = Math.max(1, Math.min(most, Math.floor(BATCH_BYTES / this.frameLength)))
    this.batch = Buffer.concat(Array.from({ length: this.frames }, () => maskedFrame(this.opcode, payload)))
  }
}

/** A message of `size` bytes: ASCII text, or random bytes. */
export function samplePayload(size: number, text: boolean): Buffer {
  return text ? Buffer.alloc(size, TEXT) : randomBytes(size)
}

/** A whole message, or a control frame, as a client sends it (RFC 6455 5.3). */
export function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  const key = randomBytes(4)
  const frame = Buffer.allocUnsafe(MAX_HEADER_LENGTH + payload.length)
  const start = writeHeader(frame, 0, opcode, true, payload.length, false, key.readUInt32LE(0))
  for (let i = 0; i < payload.length; i++) frame[start + i] = payload[i] ^ key[i & 3]
  return frame.subarray(0, start + payload.length)
}
