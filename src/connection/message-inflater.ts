import { UTF8_COMPLETE, UTF8_INVALID } from '../codec/events.js'
import { CompressionError, FrameFault, frameError, type PeerError } from '../errors.js'
import type { DeflateAgreement } from '../handshake/deflate.js'
import { Counter, count } from '../ledger.js'
import { memoryError } from '../protocol/budget.js'
import type { Inflater } from '../protocol/inflater.js'
import { MessageBuffer } from '../protocol/message-buffer.js'
import { CloseCode } from '../rfc6455.js'
import type { Compression } from './compression.js'
import { InflateHistory } from './inflate-history.js'
import { SHARE } from './inflate-turns.js'
import { STOP_AT_BLOCK, SYNC_FLUSH, type ZlibStream } from './zlib-stream.js'

/**
 * What the sender has cut off, 00 00 FF FF (RFC 7692 7.2.2), the length of an empty stored block, and one byte more,
 * which must stay.
 */
const TAIL = Buffer.of(0x00, 0x00, 0xff, 0xff, 0x00)

/** Final blocks of a message after which something comes. Each costs what telling the history to zlib does. */
const MOST_FINAL_BLOCKS = 32

/**
 * The peer's messages of one connection, inflated. The work is done in memory of the codec, where text is then
 * validated and decoded; only what is longer than that gets a buffer of its own. No more than `maxPayload` bytes, and
 * one, are ever inflated.
 */
export class MessageInflater implements Inflater {
  message: Buffer | undefined
  start = 0
  end = 0
  isPostponed = false
  readonly #compression: Compression
  readonly #windowBits: number
  /** Where no message refers to those before, it is everybody's, and of one message. */
  readonly #history: InflateHistory
  readonly #takesOver: boolean
  /** What is in the codec's memory from here on is not in the history yet. */
  #unrecorded = 0
  #total = 0
  #utf8 = UTF8_COMPLETE
  #finalBlocks = 0
  #buffer: MessageBuffer | undefined
  /** Bytes of the history, and of the message as long as that is being inflated. */
  #pinned = 0
  /** Bytes of work in the turn of this number (see `InflateTurns`). */
  #spent = 0
  #turn = 0
  /** The next message may take what it takes. */
  #granted = false
  /** This one may not. */
  #isLimited = false

  constructor(compression: Compression, agreement: DeflateAgreement) {
    const { clientMaxWindowBits, clientNoContextTakeover } = agreement
    this.#compression = compression
    this.#windowBits = clientMaxWindowBits
    this.#takesOver = !clientNoContextTakeover
    this.#history = this.#takesOver ? new InflateHistory(clientMaxWindowBits) : compression.messageHistory
  }

  /** The connection has ended. */
  release(): void {
    this.#compression.inflaters.release(this)
    this.#pin(0)
  }

  /** It is this connection's turn to have a large message inflated. */
  grant(): void {
    this.#granted = true
  }

  inflate(source: Buffer, start: number, end: number, isText: boolean): PeerError | undefined {
    const { inflateOffset } = this.#compression.codec
    this.message = undefined
    this.isPostponed = false
    this.start = this.end = this.#unrecorded = inflateOffset
    this.#total = 0
    this.#utf8 = UTF8_COMPLETE
    this.#finalBlocks = 0
    // RFC 7692 7.2.3.6 has an empty message be the one byte 00; no byte at all can't be anything else.
    if (start === end) return this.#count(0)
    if (!this.#begin()) return undefined
    this.#compression.touch()
    if (!this.#takesOver) this.#history.clear()
    const fault = this.#inflate(source, start, end, isText) ?? this.#finish(isText)
    this.#buffer = undefined
    // The message is the application's, the history stays.
    const unaffordable = this.#pin(this.#takesOver ? this.#history.capacity : 0)
    const error = fault ?? unaffordable
    this.#spend(end - start + this.#total + this.#finalBlocks * this.#history.most)
    if (error !== undefined || this.isPostponed || !this.#takesOver) this.#compression.inflaters.release(this)
    return error ?? this.#count(end - start)
  }

  /** @param length of the message as it came */
  #count(length: number): undefined {
    const { counters } = this.#compression
    if (this.isPostponed) return
    count(counters, Counter.INFLATED)
    count(counters, Counter.INFLATE_INPUT, length)
    count(counters, Counter.INFLATE_OUTPUT, this.#total)
  }

  /** @returns whether there is time for a message, though perhaps not for a large one */
  #begin(): boolean {
    const { inflateTurns } = this.#compression
    if (this.#turn !== inflateTurns.number) {
      this.#turn = inflateTurns.number
      this.#spent = 0
    }
    this.#isLimited = inflateTurns.isOver && !this.#granted
    this.isPostponed = this.#isLimited && this.#spent >= SHARE
    this.#granted = false
    return !this.isPostponed
  }

  #spend(cost: number): void {
    this.#spent += cost
    this.#compression.inflateTurns.spend(cost)
  }

  /** Where a message turns out to be a large one, before anything is kept of it. */
  #postpone(): undefined {
    this.isPostponed = true
  }

  #inflate(source: Buffer, start: number, end: number, isText: boolean): PeerError | undefined {
    const { codec, maxPayload } = this.#compression
    const { memory } = codec
    const limit = codec.inflateOffset + codec.inflateCapacity
    let stream = this.#stream()
    for (let at = start; ; ) {
      // One byte more than may come, which tells.
      const room = Math.min(limit - this.end, maxPayload - this.#total + 1)
      stream.write(SYNC_FLUSH, source, at, end - at, memory, this.end, room)
      if (stream.failed) return invalidData()
      this.#total += room - stream.room
      this.end += room - stream.room
      if (this.#total > maxPayload) return tooBig()
      at = end - stream.rest
      if (stream.room === 0) {
        // There may be more.
        if (this.#isLimited && this.end === limit) return this.#postpone()
        const error = this.end === limit ? this.#keep(isText) : undefined
        if (error !== undefined) return error
      } else if (at === end) return this.#checkEnd(stream)
      else {
        // A final block, and yet the message goes on (RFC 7692 7.2.3.4): with its history, as after any other.
        if (this.#isLimited) return this.#postpone()
        this.#finalBlocks++
        if (this.#finalBlocks > MOST_FINAL_BLOCKS) return invalidData()
        this.#record()
        this.#compression.inflaters.release(this)
        stream = this.#stream()
      }
    }
  }

  /** zlib must be where one block ends and the next would begin, and nothing may come of the tail. */
  #checkEnd(stream: ZlibStream): PeerError | undefined {
    const { codec } = this.#compression
    stream.write(STOP_AT_BLOCK, TAIL, 0, TAIL.length, codec.memory, this.end, 1)
    // Nothing is taken after a final block. The next message needs another stream, which is told the history.
    if (stream.rest === TAIL.length) {
      this.#finalBlocks++
      this.#compression.inflaters.release(this)
    } else if (stream.failed || stream.rest !== 1 || stream.room !== 1) return invalidData()
    return undefined
  }

  /** A stream that knows what this connection's next bytes may refer to. */
  #stream(): ZlibStream {
    const { inflaters, codec } = this.#compression
    const known = inflaters.find(this)
    if (known !== undefined) return known
    const stream = inflaters.assign(this, this.#windowBits)
    this.#history.prime(stream, codec.memory, codec.sinkOffset)
    return stream
  }

  /** The codec's memory is full: what is there goes to a buffer of the message's own. */
  #keep(isText: boolean): PeerError | undefined {
    const { codec, maxPayload } = this.#compression
    const { memory, inflateOffset } = codec
    const error = isText ? this.#validate() : undefined
    if (error !== undefined) return error
    this.#record()
    const length = this.end - inflateOffset
    this.#buffer ??= new MessageBuffer(length, false)
    this.#buffer.append(memory, inflateOffset, this.end, 0, false, maxPayload)
    this.end = this.#unrecorded = inflateOffset
    return this.#pin(this.#history.capacity + this.#buffer.memory)
  }

  #finish(isText: boolean): PeerError | undefined {
    if (this.isPostponed) return undefined
    if (isText) {
      const error = this.#validate()
      if (error !== undefined) return error
      if (this.#utf8 !== UTF8_COMPLETE) return invalidText()
    }
    if (this.#takesOver) this.#record()
    if (this.#buffer === undefined) return undefined
    const { codec, maxPayload } = this.#compression
    this.#buffer.append(codec.memory, codec.inflateOffset, this.end, 0, true, maxPayload)
    this.message = this.#buffer.take()
    return undefined
  }

  #pin(bytes: number): PeerError | undefined {
    const before = this.#pinned
    if (bytes === before) return undefined
    this.#pinned = bytes
    return this.#compression.memory.resize(before, bytes) ? undefined : memoryError()
  }

  #record(): void {
    this.#history.append(this.#compression.codec.memory, this.#unrecorded, this.end)
    this.#unrecorded = this.end
  }

  #validate(): PeerError | undefined {
    const { codec } = this.#compression
    const start = codec.inflateOffset
    this.#utf8 = codec.validateUtf8(start, this.end - start, this.#utf8)
    return this.#utf8 === UTF8_INVALID ? invalidText() : undefined
  }
}

function invalidData(): PeerError {
  const text = 'the compressed data of a message is not valid, or not complete (RFC 7692 7.2.2)'
  return new CompressionError('ERR_INVALID_DEFLATE', text, CloseCode.INVALID_DATA)
}

function tooBig(): PeerError {
  return frameError(FrameFault.MESSAGE_TOO_BIG)
}

function invalidText(): PeerError {
  return frameError(FrameFault.INVALID_UTF8)
}
