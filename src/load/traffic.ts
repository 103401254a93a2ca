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
   * @param size bytes of the message
   * @param text ASCII text instead of random bytes
   * @param most frames that are sent at once at the most
   */
  constructor(size: number, text: boolean, most: number) {
    this.opcode = text ? Opcode.TEXT : Opcode.BINARY
    this.payload = text ? Buffer.alloc(size, TEXT) : randomBytes(size)
    this.frameLength = headerLength(size) + 4 + size
    this.frames = Math.max(1, Math.min(most, Math.floor(BATCH_BYTES / this.frameLength)))
    this.batch = Buffer.allocUnsafe(this.frameLength * this.frames)
    for (let i = 0; i < this.frames; i++) this.#encode(i * this.frameLength)
  }

  #encode(offset: number): void {
    const key = randomBytes(4)
    const header = Buffer.alloc(MAX_HEADER_LENGTH)
    const end = writeHeader(header, 0, this.opcode, true, this.payload.length, false, key.readUInt32LE(0))
    header.copy(this.batch, offset, 0, end)
    for (let i = 0; i < this.payload.length; i++) {
      this.batch[offset + end + i] = (this.payload[i] as number) ^ (key[i & 3] as number)
    }
  }
}
