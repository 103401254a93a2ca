import { type FrameCodec, Opcode, type Role } from '../src/codec/index.js'

/** Messages that are kept. */
export const MOST_ENTRIES = 500
/** Bytes of one message that are kept. */
export const MOST_KEPT_BYTES = 65_536
/** Bytes of all of them together. */
const MOST_BYTES = 8 * 2 ** 20
/** Bytes of a message that is encoded again to be looked at. */
const MOST_ENCODED_BYTES = 64 * 2 ** 20

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

/** A message as a frame, and who would read it. */
export interface EncodedEntry {
  readonly role: Role
  readonly bytes: Uint8Array<ArrayBuffer>
}

/**
 * Encodes a message again, since a browser does not show its frames: in one frame, with another masking key. Of a
 * message that was not kept whole it is the beginning of its frame.
 *
 * @returns undefined for one that is too large
 */
export function encodeEntry(codec: FrameCodec, entry: Entry): EncodedEntry | undefined {
  const { direction, kind, size, data } = entry
  if (size > MOST_ENCODED_BYTES) return undefined
  const payload = new Uint8Array(size)
  payload.set(data)
  const opcode = kind === 'text' ? Opcode.TEXT : kind === 'binary' ? Opcode.BINARY : Opcode.CLOSE
  const [sender, reader] =
    direction === 'sent' ? (['client', 'server'] as const) : (['server', 'client'] as const)
  const frame = codec.encodeFrame({ opcode, payload }, { role: sender })
  return { role: reader, bytes: frame.slice(0, frame.length - size + data.length) }
}
