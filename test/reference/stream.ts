import assert from 'node:assert/strict'
import type { Codec } from '../../src/codec/codec.js'
import {
  EVENT_ASCII,
  EVENT_COMPRESSED,
  EVENT_ERROR,
  EVENT_FIN,
  EVENT_FRAME_END,
  EVENT_FRAME_START,
  EVENT_MESSAGE_START,
  EVENT_OPCODE,
  EVENT_WORDS,
} from '../../src/codec/events.js'
import type { DecoderLimits, Frame, Violation } from './decoder.js'

const MAX_REST = 2 ** 31 - 1

/**
 * A connection that feeds a codec in pieces and puts the events of one frame together again, so that what comes out
 * does not depend on the pieces. It checks what must hold for every single event, too.
 */
export class CodecStream {
  readonly frames: Frame[] = []
  violation: Violation | undefined
  readonly #codec: Codec
  readonly #slot: number
  #position = 0
  #open: { payload: string; word: number; total: number } | undefined
  #messageAscii = true

  constructor(codec: Codec, limits: DecoderLimits) {
    this.#codec = codec
    this.#slot = codec.acquire(limits.role, limits.maxPayload, limits.maxFragments, limits.deflate)
  }

  /** @param offset where in memory the piece is put, to vary its alignment */
  push(piece: Uint8Array, offset = this.#codec.readOffset): void {
    const codec = this.#codec
    let done = 0
    do {
      codec.memory.set(piece.subarray(done), offset)
      const count = codec.decode(this.#slot, piece.length - done, offset)
      for (let i = 0; i < count; i++) this.#receive(i * EVENT_WORDS, offset, piece.length - done, done)
      if (count < codec.eventsCapacity) assert.equal(codec.consumed(), piece.length - done)
      done += codec.consumed()
    } while (done < piece.length)
    this.#position += piece.length
  }

  end(): void {
    this.#codec.release(this.#slot)
  }

  #receive(at: number, base: number, available: number, done: number): void {
    const [word, offset, length, rest] = this.#codec.events.subarray(at, at + EVENT_WORDS) as unknown as [
      number,
      number,
      number,
      number,
    ]
    assert.equal(this.violation, undefined)
    if ((word & EVENT_OPCODE) === EVENT_ERROR) {
      // The byte that decides is one of this piece: no fault is reported later than it could be.
      assert.ok(offset >= base)
      assert.ok(offset < base + available)
      this.violation = { error: length, at: this.#position + done + offset - base }
      return
    }
    assert.ok(offset + length <= base + available)
    assert.equal((word & EVENT_FRAME_END) !== 0, rest === 0)
    assert.equal((word & EVENT_FRAME_START) !== 0, this.#open === undefined)
    const opcode = word & 0xff
    this.#open ??= { payload: '', word, total: rest === MAX_REST ? MAX_REST : length + rest }
    const open = this.#open
    const sameThroughout = 0xff | EVENT_FIN | EVENT_MESSAGE_START | EVENT_COMPRESSED
    assert.equal(word & sameThroughout, open.word & sameThroughout)
    if (length === 0) assert.equal(open.total, 0)
    const bytes = this.#codec.memory.subarray(offset, offset + length)
    open.payload += this.#codec.memory.latin1Slice(offset, offset + length)
    // A rest of 2^31 - 1 stands for any that is not less.
    if (open.total < MAX_REST) assert.equal(open.payload.length + rest, open.total)
    const isPlainText = opcode === 1 && (word & EVENT_COMPRESSED) === 0
    if (isPlainText) {
      if (word & EVENT_MESSAGE_START && word & EVENT_FRAME_START) this.#messageAscii = true
      this.#messageAscii &&= bytes.every(byte => byte < 0x80)
    }
    assert.equal((word & EVENT_ASCII) !== 0, isPlainText && this.#messageAscii)
    if (!(word & EVENT_FRAME_END)) return
    this.frames.push({
      opcode,
      fin: (word & EVENT_FIN) !== 0,
      start: (word & EVENT_MESSAGE_START) !== 0,
      compressed: (word & EVENT_COMPRESSED) !== 0,
      ascii: (word & EVENT_ASCII) !== 0,
      payload: open.payload,
    })
    this.#open = undefined
  }
}
