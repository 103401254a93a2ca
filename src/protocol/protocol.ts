import { parseClose } from '../codec/close.js'
import type { Codec, CodecMemory } from '../codec/codec.js'
import {
  EVENT_COMPRESSED,
  EVENT_ERROR,
  EVENT_FIN,
  EVENT_FRAME_END,
  EVENT_FRAME_START,
  EVENT_OPCODE,
  EVENT_WHOLE,
  EVENT_WHOLE_MASK,
  EVENT_WORDS,
} from '../codec/events.js'
import { frameError, type PeerError } from '../errors.js'
import { CloseCode, MAX_CONTROL_PAYLOAD, Opcode } from '../rfc6455.js'
import { type Budget, memoryError } from './budget.js'
import type { Inflater } from './inflater.js'
import { MessageBuffer } from './message-buffer.js'
import type { Meter } from './meter.js'
import type { Payloads } from './payloads.js'
import { Cause, nextState, State } from './state.js'
import { textFrom, textOf } from './text.js'

/**
 * What the protocol tells the connection it belongs to. Payloads given as views are valid during the call only.
 */
export interface ProtocolOwner {
  /** A message: `string` or a Buffer to keep; with `views`, a view of its bytes. */
  deliverMessage(data: string | Buffer, isBinary: boolean): void
  /** A Ping, to be answered with the payload at `start` to `end` of `source` (RFC 6455 5.5.3), then told to the app. */
  deliverPing(source: Buffer, start: number, end: number): void
  deliverPong(source: Buffer, start: number, end: number): void
  /** The peer sends faster than it may: nothing more of it is delivered before `resume`. */
  throttled(): void
  /** The next message waits until there is time to inflate it: nothing is delivered before `resume`. */
  postponed(): void
  /** Send a Close frame; nothing may be sent after it. */
  sendClose(code: number, reason: string): void
  /** No frame goes either way any more: get our output out, then end TCP. */
  finish(): void
  /** There is more than goes in one go: read no more, and call `resume` when others have had their turn. */
  continueLater(): void
}

/** Events that were not delivered, since there was a pause, with their payloads. */
interface Held {
  readonly events: Int32Array
  readonly bytes: Buffer
  /** Where the bytes were in the codec's memory: there they must be for the events to be right. */
  readonly offset: number
  /** How many of the events, the first ones, were admitted by the meter. */
  readonly admitted: number
}

/** Bytes that were received and not decoded yet, from `at` on. */
interface Unread {
  readonly bytes: Buffer
  at: number
}

/** A compressed message that is all there and was not inflated yet. */
interface Postponed {
  word: number
  bytes: Buffer
}

/**
 * RFC 6455 above the frame: states, reassembly, the rules of the closing handshake. It knows no socket and no clock:
 * bytes come in through the codec's read arena, everything else goes through its owner.
 */
export class Protocol {
  state: State = State.OPEN
  /** What ended the connection, as the application is told (RFC 6455 7.1.5). */
  closeCode: number = CloseCode.ABNORMAL
  closeReason = ''
  /** The peer's violation, if that is what ended the connection. */
  error: PeerError | undefined
  /** Deliver nothing for now. */
  paused = false

  readonly #owner: ProtocolOwner
  readonly #codec: Codec
  readonly #slot: number
  readonly #payloads: Payloads
  readonly #views: boolean
  readonly #maxPayload: number
  /** Where permessage-deflate was negotiated. */
  readonly #inflater: Inflater | undefined
  /** Where the peer must not send as fast as it can. */
  readonly #meter: Meter | undefined
  #message: MessageBuffer | undefined
  /** A control frame that did not come in one piece. */
  #control: Buffer | undefined
  #controlLength = 0
  #held: Held | undefined
  /** Bytes that were received after them, and are not decoded yet. */
  #unread: Unread[] | undefined
  /** Of the events that were not delivered just now, how many the meter has admitted. */
  #admitted = 0
  readonly #budget: Budget
  /** Bytes of the message and of what is held. */
  #pinned = 0
  /** Comes before what is held. */
  #postponed: Postponed | undefined

  /**
   * @param slot of `codec`; the protocol's to use, its owner's to release
   * @param payloads of the codec's memory
   * @param budget has the memory of what can't be delivered yet
   * @param inflater where `codec` lets compressed messages through
   * @param meter where there is a limit to what the peer may send in a time
   */
  constructor(
    owner: ProtocolOwner,
    codec: Codec,
    slot: number,
    payloads: Payloads,
    maxPayload: number,
    views: boolean,
    budget: Budget,
    inflater?: Inflater,
    meter?: Meter,
  ) {
    this.#owner = owner
    this.#codec = codec
    this.#slot = slot
    this.#payloads = payloads
    this.#maxPayload = maxPayload
    this.#views = views
    this.#budget = budget
    this.#inflater = inflater
    this.#meter = meter
  }

  /**
   * Bytes of the peer: `length` of them at `offset` of the codec's memory. In one go no more is delivered than fills the
   * codec's table of events: a read of frames without payload brings twenty times as many, which all other connections
   * of the shard would wait for.
   */
  receive(offset: number, length: number): void {
    if (this.state >= State.ENDING) return
    const taken = this.paused || this.holds ? 0 : this.#decode(offset, length)
    if (taken < length && !this.#keepUnread(offset + taken, offset + length)) this.fail(memoryError())
    if (this.holds && !this.paused) this.#owner.continueLater()
  }

  /** Goes on with what was held back: one go of it. The codec's arena must not be in use. */
  resume(): void {
    const most = this.#codec.eventsCapacity
    this.paused = false
    if (this.#postponed !== undefined) {
      const { word, bytes } = this.#postponed
      this.#postponed = undefined
      this.#pin(-bytes.length)
      if (this.state === State.OPEN) this.#inflate(word, bytes, 0, bytes.length)
    }
    let done = 0
    while (this.holds && !this.paused && this.state < State.ENDING) {
      if (done >= most) return this.#owner.continueLater()
      done += this.#held === undefined ? this.#decodeUnread() : this.#deliverHeld(this.#held)
      // The rest is not to be had in this go.
      if (this.#held !== undefined) done = most
    }
  }

  /** The transport reads again only when nothing is held. */
  get holds(): boolean {
    return this.#held !== undefined || this.#unread !== undefined || this.#postponed !== undefined
  }

  /** Closes from our side (RFC 6455 7.1.2). The caller has checked code and reason. */
  close(code: number, reason: string): void {
    if (this.state !== State.OPEN) return
    this.state = nextState(this.state, Cause.CLOSE_SENT)
    this.#dropMessage()
    this.#owner.sendClose(code, reason)
  }

  /** Ends the connection for a fault, with a Close frame and without waiting for the peer's (RFC 6455 7.1.7). */
  fail(error: PeerError): void {
    this.error = error
    this.#fail(error.closeCode, error.message, Cause.VIOLATION)
  }

  /** The peer's FIN. Without a closing handshake the code stays 1006. */
  receiveEnd(): void {
    if (this.state >= State.ENDING) return
    this.state = nextState(this.state, Cause.PEER_ENDED)
    this.#release()
    this.#owner.finish()
  }

  /** The connection is cut: nothing is delivered any more. */
  abort(): void {
    this.state = nextState(this.state, Cause.ABORTED)
    this.#release()
  }

  /** The transport has ended. */
  transportClosed(): void {
    this.state = nextState(this.state, Cause.TRANSPORT_CLOSED)
    this.#release()
  }

  #fail(code: number, reason: string, cause: Cause): void {
    if (this.state >= State.ENDING) return
    const open = this.state === State.OPEN
    this.state = nextState(this.state, cause)
    this.#release()
    if (open) {
      this.closeCode = code
      this.closeReason = reason
      this.#owner.sendClose(code, reason)
    }
    this.#owner.finish()
  }

  #release(): void {
    this.#message = undefined
    this.#control = undefined
    this.#held = undefined
    this.#pin(-this.#pinned)
    this.#postponed = undefined
    this.#unread = undefined
  }

  #dropMessage(): void {
    if (this.#message === undefined) return
    this.#pin(-this.#message.memory)
    this.#message = undefined
  }

  /** @returns false when there is no memory for `bytes` more */
  #pin(bytes: number): boolean {
    const before = this.#pinned
    this.#pinned += bytes
    return bytes === 0 || this.#budget.resize(before, this.#pinned)
  }

  /**
   * Decodes bytes of the codec's memory and delivers what they are.
   *
   * @returns how many of them are done with; the others have not been looked at
   */
  #decode(offset: number, length: number): number {
    const codec = this.#codec
    const count = codec.decode(this.#slot, length, offset)
    // Asked for now: a handler may end the connection.
    const consumed = count === codec.eventsCapacity ? codec.consumed() : length
    const done =
      this.#meter === undefined ? this.#walk(count) : this.#walkMetered(this.#meter, count, 0, consumed)
    if (done < count && this.state < State.ENDING && !this.#hold(done, count)) this.fail(memoryError())
    return this.state < State.ENDING ? consumed : length
  }

  /** @returns false when there is no memory for them */
  #keepUnread(start: number, end: number): boolean {
    this.#unread ??= []
    this.#unread.push({ bytes: Buffer.from(this.#codec.memory.subarray(start, end)), at: 0 })
    return this.#pin(end - start)
  }

  /** @returns how many events that were, or so */
  #decodeUnread(): number {
    const codec = this.#codec
    const unread = this.#unread as Unread[]
    const [first] = unread
    const { bytes, at } = first
    bytes.copy(codec.memory, codec.readOffset, at)
    first.at += this.#decode(codec.readOffset, bytes.length - at)
    if (first.at < bytes.length) return codec.eventsCapacity
    // Else it is released already.
    if (this.state < State.ENDING) {
      unread.shift()
      this.#pin(-bytes.length)
    }
    if (unread.length === 0) this.#unread = undefined
    return 1
  }

  /** @returns how many of the events are done with */
  #deliverHeld({ events, bytes, offset, admitted }: Held): number {
    const codec = this.#codec
    const count = events.length / EVENT_WORDS
    codec.events.set(events)
    codec.memory.set(bytes, offset)
    this.#held = undefined
    this.#pin(-events.byteLength - bytes.length)
    const done =
      this.#meter === undefined ? this.#walk(count) : this.#walkMetered(this.#meter, count, admitted, 0)
    // What was held before is not asked for again.
    if (done < count && this.state < State.ENDING) this.#hold(done, count)
    return done
  }

  /**
   * As `#walk`, as far as the meter lets it.
   *
   * @param admitted how many of the events it has let through before
   * @param bytes that were read
   */
  #walkMetered(meter: Meter, count: number, admitted: number, bytes: number): number {
    // What is thrown away need not be measured.
    if (this.state !== State.OPEN) return this.#walk(count)
    const { events } = this.#codec
    const fresh = admitted === 0 ? events : events.subarray(admitted * EVENT_WORDS)
    const end = admitted + meter.admit(fresh, count - admitted, bytes)
    const done = this.#walk(end)
    this.#admitted = end - done
    if (this.state !== State.OPEN || (end === count && !meter.isSpent)) return done
    this.paused = true
    this.#owner.throttled()
    return done
  }

  /**
   * Delivers the first `count` events of the codec's table, or those before a pause.
   *
   * @returns how many are done with
   */
  #walk(count: number): number {
    const events = this.#codec.events
    this.#payloads.begin(events, count)
    for (let i = 0; i < count; i++) {
      if (this.state >= State.ENDING) return count
      if (this.paused) return i
      const at = i * EVENT_WORDS
      const word = events[at]
      const start = events[at + 1]
      const length = events[at + 2]
      switch (word & EVENT_OPCODE) {
        case Opcode.TEXT:
        case Opcode.BINARY:
          if (this.state !== State.OPEN) break
          if ((word & EVENT_WHOLE_MASK) === EVENT_WHOLE) this.#deliver(word, start, start + length)
          else if ((word & EVENT_COMPRESSED) !== 0)
            this.#receiveCompressed(word, start, length, events[at + 3])
          else this.#receivePart(word, start, length, events[at + 3])
          break
        case EVENT_ERROR:
          this.fail(frameError(length))
          return count
        default:
          if ((word & EVENT_WHOLE) === EVENT_WHOLE) {
            this.#receiveControl(word & EVENT_OPCODE, this.#codec.memory, start, start + length)
          } else this.#receiveControlPart(word, start, length)
      }
    }
    return count
  }

  /**
   * Keeps the events of the codec's table from `first` to before `count`, and their bytes.
   *
   * @returns false when there is no memory for them
   */
  #hold(first: number, count: number): boolean {
    const { events, memory } = this.#codec
    const kept = events.slice(first * EVENT_WORDS, count * EVENT_WORDS)
    const [, offset] = kept
    const last = kept.length - EVENT_WORDS
    const isError = (kept[last] & EVENT_OPCODE) === EVENT_ERROR
    const end = kept[last + 1] + (isError ? 0 : kept[last + 2])
    const bytes = Buffer.from(memory.subarray(offset, end))
    this.#held = { events: kept, bytes, offset, admitted: this.#admitted }
    this.#admitted = 0
    return this.#pin(kept.byteLength + bytes.length)
  }

  /** A piece of a data message that did not come whole. */
  #receivePart(word: number, start: number, length: number, rest: number): void {
    const bytes = this.#gather(word, start, length, rest)
    if (bytes !== undefined) this.#deliverOwn(word, bytes)
  }

  /** @returns the message, if this was its last piece */
  #gather(word: number, start: number, length: number, rest: number): Buffer | undefined {
    const memory = this.#codec.memory
    const final = (word & EVENT_FIN) !== 0
    const ends = final && (word & EVENT_FRAME_END) !== 0
    if (this.#message === undefined) this.#message = new MessageBuffer(length + rest, final)
    const limit = (word & EVENT_COMPRESSED) === 0 ? this.#maxPayload : mostCompressed(this.#maxPayload)
    const message = this.#message
    const before = message.memory
    message.append(memory, start, start + length, rest, final, limit)
    if (!this.#pin(message.memory - before)) {
      this.fail(memoryError())
      return undefined
    }
    if (!ends) return undefined
    this.#dropMessage()
    return message.take()
  }

  /**
   * A compressed message, or a piece of one: it is inflated when all of it is here, and only then known to be valid.
   */
  #receiveCompressed(word: number, start: number, length: number, rest: number): void {
    if ((word & EVENT_WHOLE) === EVENT_WHOLE) {
      return this.#inflate(word, this.#codec.memory, start, start + length)
    }
    const bytes = this.#gather(word, start, length, rest)
    if (bytes !== undefined) this.#inflate(word, bytes, 0, bytes.length)
  }

  #inflate(word: number, source: Buffer, from: number, to: number): void {
    const inflater = this.#inflater as Inflater
    const isText = (word & EVENT_OPCODE) === Opcode.TEXT
    const error = inflater.inflate(source, from, to, isText)
    if (error !== undefined) return this.fail(error)
    if (inflater.isPostponed) return this.#postpone(word, source, from, to)
    const { message, start, end } = inflater
    if (message !== undefined) this.#deliverOwn(word, message)
    else if (this.#views || isText) this.#deliver(word, start, end)
    // Not `Payloads.copy`, which takes what is at one place of the memory for the same until the next read.
    else this.#owner.deliverMessage(Buffer.from(this.#payloads.view(start, end)), true)
  }

  #postpone(word: number, source: Buffer, from: number, to: number): void {
    const isOwn = source !== this.#codec.memory
    const bytes = isOwn ? source : Buffer.from(source.subarray(from, to))
    if (!this.#pin(bytes.length)) return this.fail(memoryError())
    this.#postponed = { word, bytes }
    this.paused = true
    this.#owner.postponed()
  }

  /** A message in a buffer that is nobody else's, so a binary one is handed over as it is. */
  #deliverOwn(word: number, bytes: Buffer): void {
    if ((word & EVENT_OPCODE) === Opcode.BINARY) this.#owner.deliverMessage(bytes, true)
    else if (this.#views) this.#owner.deliverMessage(bytes, false)
    else this.#owner.deliverMessage(textFrom(word, bytes as CodecMemory, this.#codec), false)
  }

  /** A message that came whole. */
  #deliver(word: number, start: number, end: number): void {
    if ((word & EVENT_OPCODE) === Opcode.TEXT) {
      if (this.#views) this.#owner.deliverMessage(this.#payloads.view(start, end), false)
      else this.#owner.deliverMessage(textOf(word, this.#codec, start, end), false)
    } else if (this.#views) this.#owner.deliverMessage(this.#payloads.view(start, end), true)
    else this.#owner.deliverMessage(this.#payloads.copy(start, end), true)
  }

  #receiveControlPart(word: number, start: number, length: number): void {
    if (this.#control === undefined || (word & EVENT_FRAME_START) !== 0) {
      this.#control = Buffer.allocUnsafeSlow(MAX_CONTROL_PAYLOAD)
      this.#controlLength = 0
    }
    const control = this.#control
    this.#codec.memory.copy(control, this.#controlLength, start, start + length)
    this.#controlLength += length
    if ((word & EVENT_FRAME_END) === 0) return
    this.#control = undefined
    this.#receiveControl(word & EVENT_OPCODE, control, 0, this.#controlLength)
  }

  #receiveControl(opcode: number, source: Buffer, start: number, end: number): void {
    if (opcode === Opcode.CLOSE) {
      this.#receiveClose(source.subarray(start, end))
    } else if (this.state === State.OPEN) {
      if (opcode === Opcode.PING) this.#owner.deliverPing(source, start, end)
      else this.#owner.deliverPong(source, start, end)
    }
  }

  /** RFC 6455 5.5.1: answered with the same code, unless it is the answer to ours. */
  #receiveClose(payload: Buffer): void {
    const { code, reason } = parseClose(payload)
    const answer = this.state === State.OPEN
    this.state = nextState(this.state, Cause.CLOSE_RECEIVED)
    this.#release()
    this.closeCode = code
    this.closeReason = reason
    if (answer) this.#owner.sendClose(code, '')
    this.#owner.finish()
  }
}

/** Bytes of a message that the codec lets through where it is compressed, since what can't be compressed grows. */
function mostCompressed(maxPayload: number): number {
  return maxPayload + (maxPayload >>> 3) + 1024
}
