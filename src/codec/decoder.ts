import { frameError, type PeerError } from '../errors.js'
import { Opcode } from '../rfc6455.js'
import { bytesOf } from './bytes.js'
import { parseClose } from './close.js'
import type { Codec } from './codec.js'
import type { CompressedMessage, Decoder, Frame, Message, Violation } from './decoding.js'
import {
  EVENT_COMPRESSED,
  EVENT_ERROR,
  EVENT_FIN,
  EVENT_FRAME_END,
  EVENT_FRAME_START,
  EVENT_MESSAGE_START,
  EVENT_OPCODE,
  EVENT_WORDS,
  SLOT_SIZE,
  SLOTS_OFFSET,
} from './events.js'
import { PayloadBuffer } from './payload-buffer.js'
import type { Role } from './role.js'

/** Opcodes from here on are control frames (RFC 6455 5.5). */
const FIRST_CONTROL = 8
/** The first frame of a compressed message: the only one that bears RSV1 (RFC 7692 6). */
const COMPRESSED_START = EVENT_COMPRESSED | EVENT_MESSAGE_START

/** How a stream is read, all of it checked. */
interface Limits {
  readonly role: Role
  readonly maxPayload: number
  readonly maxFragments: number
  /** permessage-deflate was negotiated. */
  readonly deflate: boolean
}

/** What is left to those that make frames or messages of it. */
abstract class StreamDecoder<Item> implements Decoder<Item | Violation> {
  error: PeerError | undefined
  readonly #codec: Codec
  /** All of the codec's memory. Not `codec.memory`, which is a Buffer where there are Buffers: its slices are views. */
  readonly #memory: Uint8Array<ArrayBuffer>
  /** The codec has one slot, which is this decoder's during `push`; between two its contents are here. */
  readonly #state: Uint8Array
  readonly #slot: Uint8Array
  /** Bytes of the stream before what is being decoded, less where that is in memory. */
  #origin = 0
  #position = 0
  /** Where in the stream the frame begins that comes next. */
  #frameAt = 0
  #headerLength = 0
  #data: PayloadBuffer | undefined
  /** A control frame that comes in pieces, maybe between two frames of a message. */
  #control: PayloadBuffer | undefined

  /** @param codec with a single slot, in nobody's use */
  constructor(codec: Codec, { role, maxPayload, maxFragments, deflate }: Limits) {
    this.#codec = codec
    this.#memory = new Uint8Array(codec.readArena.buffer as ArrayBuffer)
    this.#slot = this.#memory.subarray(SLOTS_OFFSET, SLOTS_OFFSET + SLOT_SIZE)
    codec.release(codec.acquire(role, maxPayload, maxFragments, deflate))
    this.#state = this.#slot.slice()
  }

  /** Whether an event with these flags ends what an item is made of; control frames always are one. */
  protected abstract ends(word: number): boolean

  /** @param payload in the codec's memory, or its own when `isOwn` */
  protected abstract itemOf(word: number, payload: Uint8Array<ArrayBuffer>, isOwn: boolean): Item

  /** Whether nothing more is to be decoded. */
  protected get isOver(): boolean {
    return this.error !== undefined
  }

  /** Where the frame of the event lies in the stream. */
  protected get place(): { offset: number; headerLength: number } {
    return { offset: this.#frameAt, headerLength: this.#headerLength }
  }

  push(chunk: ArrayBuffer | ArrayBufferView): (Item | Violation)[] {
    const bytes = bytesOf(chunk, 'what is pushed')
    const { readArena, readOffset } = this.#codec
    const items: (Item | Violation)[] = []
    this.#slot.set(this.#state)
    if (bytes.buffer === readArena.buffer) {
      this.#decode(bytes.byteOffset, bytes.length, items)
    } else {
      for (let at = 0; at < bytes.length && !this.isOver; at += readArena.length) {
        const piece = bytes.subarray(at, at + readArena.length)
        readArena.set(piece)
        this.#decode(readOffset, piece.length, items)
      }
    }
    this.#state.set(this.#slot)
    return items
  }

  #decode(offset: number, length: number, items: (Item | Violation)[]): void {
    const codec = this.#codec
    this.#origin = this.#position - offset
    this.#position += length
    while (length > 0 && !this.isOver) {
      const count = codec.decode(0, length, offset)
      for (let i = 0; i < count && !this.isOver; i++) this.#receive(i * EVENT_WORDS, items)
      const consumed = codec.consumed()
      offset += consumed
      length -= consumed
    }
  }

  #receive(at: number, items: (Item | Violation)[]): void {
    const { events } = this.#codec
    const word = events[at]
    const start = events[at + 1]
    const length = events[at + 2]
    if ((word & EVENT_OPCODE) === EVENT_ERROR) {
      this.error = frameError(length)
      this.#data = undefined
      this.#control = undefined
      items.push({ type: 'error', error: this.error, offset: this.#origin + start })
      return
    }
    if ((word & EVENT_FRAME_START) !== 0) this.#headerLength = this.#origin + start - this.#frameAt
    const isControl = (word & EVENT_OPCODE) >= FIRST_CONTROL
    const isEnd = (word & EVENT_FRAME_END) !== 0 && (isControl || this.ends(word))
    const piece = this.#memory.subarray(start, start + length)
    let buffer = isControl ? this.#control : this.#data
    if (buffer === undefined && isEnd) items.push(this.itemOf(word, piece, false))
    else {
      buffer ??= new PayloadBuffer()
      // What follows this frame in its message is not known.
      buffer.append(piece, events[at + 3], isEnd || isControl || this.ends(word))
      if (isControl) this.#control = isEnd ? undefined : buffer
      else this.#data = isEnd ? undefined : buffer
      if (isEnd) items.push(this.itemOf(word, buffer.take(), true))
    }
    if ((word & EVENT_FRAME_END) !== 0) this.#frameAt = this.#origin + start + length
  }
}

type MessageItem = Exclude<Message, Violation> | CompressedMessage

/** Whole messages, and control frames between them. */
export class MessageDecoder extends StreamDecoder<MessageItem> {
  #isClosed = false
  readonly #text = new TextDecoder('utf-8', { ignoreBOM: true })

  protected ends(word: number): boolean {
    return (word & EVENT_FIN) !== 0
  }

  protected override get isOver(): boolean {
    return this.#isClosed || this.error !== undefined
  }

  protected itemOf(word: number, payload: Uint8Array<ArrayBuffer>, isOwn: boolean): MessageItem {
    const opcode = word & EVENT_OPCODE
    if ((word & EVENT_COMPRESSED) !== 0) {
      const data = isOwn ? payload : payload.slice()
      return { type: 'compressed', binary: opcode === Opcode.BINARY, data }
    }
    switch (opcode) {
      case Opcode.TEXT:
        return { type: 'text', data: this.#text.decode(payload) }
      case Opcode.BINARY:
        return { type: 'binary', data: isOwn ? payload : payload.slice() }
      case Opcode.PING:
        return { type: 'ping', data: isOwn ? payload : payload.slice() }
      case Opcode.PONG:
        return { type: 'pong', data: isOwn ? payload : payload.slice() }
      default:
        this.#isClosed = true
        return { type: 'close', ...parseClose(payload) }
    }
  }
}

/** Every frame. */
export class FrameDecoder extends StreamDecoder<Frame> {
  readonly #masked: boolean

  constructor(codec: Codec, limits: Limits) {
    super(codec, limits)
    this.#masked = limits.role === 'server'
  }

  protected ends(): boolean {
    return true
  }

  protected itemOf(word: number, payload: Uint8Array<ArrayBuffer>, isOwn: boolean): Frame {
    return {
      type: 'frame',
      opcode: (word & EVENT_MESSAGE_START) === 0 ? Opcode.CONTINUATION : word & EVENT_OPCODE,
      fin: (word & EVENT_FIN) !== 0,
      rsv1: (word & COMPRESSED_START) === COMPRESSED_START,
      payload: isOwn ? payload : payload.slice(),
      ...this.place,
      masked: this.#masked,
    }
  }
}
