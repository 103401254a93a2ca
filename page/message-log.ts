import { type FrameCodec, Opcode } from '../src/codec/index.js'
import { countBytes, grouped } from './bytes.js'
import type { Sample } from './frame-layout.js'

/** Messages that are kept. */
export const MOST_ENTRIES = 500
/** Bytes of one message that are kept; a frame of so many has the longest form of length. */
export const MOST_KEPT_BYTES = 65_536
/** Bytes of all of them together. */
const MOST_BYTES = 8 * 2 ** 20

export type Direction = 'sent' | 'received'

/** A message that was sent or received, or a Close. */
export interface Entry {
  readonly direction: Direction
  readonly kind: 'text' | 'binary' | 'close'
  /** Milliseconds since 1970. */
  readonly time: number
  /** Bytes of its payload. */
  readonly size: number
  /** The first of them. */
  readonly data: Uint8Array<ArrayBuffer>
}

/** An entry of a message as it was sent or received. */
export function entryOf(direction: Direction, data: string | Uint8Array<ArrayBuffer>, time: number): Entry {
  const kind = typeof data === 'string' ? 'text' : 'binary'
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  return { direction, kind, time, size: bytes.length, data: bytes.slice(0, MOST_KEPT_BYTES) }
}

/** The latest messages, as many as there is room for. */
export class MessageLog {
  /** The oldest first. */
  readonly entries: Entry[] = []
  /** How many there were that are not kept any more. */
  dropped = 0
  #bytes = 0

  add(entry: Entry): void {
    this.entries.push(entry)
    this.#bytes += entry.data.length
    while (this.entries.length > MOST_ENTRIES || this.#bytes > MOST_BYTES) {
      this.#bytes -= this.entries.shift()?.data.length ?? 0
      this.dropped++
    }
  }

  clear(): void {
    this.entries.length = 0
    this.dropped = 0
    this.#bytes = 0
  }
}

/**
 * Encodes a message again, since a browser does not show its frames: in one frame, with another masking key. Of a
 * message that was not kept whole it is the beginning of its frame. What the other end made of it is not known here, so
 * it is read without a limit.
 */
export function encodeEntry(codec: FrameCodec, entry: Entry): Sample {
  const { direction, kind, size, data } = entry
  const opcode = kind === 'text' ? Opcode.TEXT : kind === 'binary' ? Opcode.BINARY : Opcode.CLOSE
  const [sender, reader] =
    direction === 'sent' ? (['client', 'server'] as const) : (['server', 'client'] as const)
  const bytes = codec.encodeFrame({ opcode, payload: data }, { role: sender })
  // MOST_KEPT_BYTES have the 64-bit length already, and that is all that the rest would change.
  if (size > data.length) new DataView(bytes.buffer).setBigUint64(2, BigInt(size))
  return { role: reader, bytes, isLimited: false, isCut: size > data.length }
}

/** Where the bytes of a message in the inspector come from, in words. */
export function originOf({ size, data }: Entry): string {
  const part =
    size > data.length
      ? `The first ${grouped(data.length)} of the ${countBytes(size)} of a message`
      : 'A message'
  return `${part} of the playground, encoded again: a browser shows neither its frames nor their masking keys, fragments and compression.`
}
