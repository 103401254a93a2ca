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
}

/** Events and payloads of a read that were not delivered, since the application paused. */
interface Held {
  events: Int32Array
  bytes: Buffer
  offset: number
  /** They were admitted by the meter. */
  isAdmitted: boolean
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
  #held: Held[] | undefined
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

  /** Bytes of the peer: `length` of them at `offset` of the codec's memory. */
  receive(offset: number, length: number): void {
    const codec = this.#codec
    for (;;) {
      // Read once: a handler may end the connection, which gives the slot to somebody else.
      if (this.state >= State.ENDING) return
      const count = codec.decode(this.#slot, length, offset)
      const consumed = count === codec.eventsCapacity ? codec.consumed() : length
      if (this.paused) this.#hold(0, count)
      else if (this.#meter === undefined) this.#walk(count)
      else this.#walkMetered(this.#meter, count, consumed)
      if (consumed >= length) return
      // A full table, possible in the client role only. What the walk did not touch is still in the arena.
      offset += consumed
      length -= consumed
    }
  }

  /** Takes up the delivery of what was held back by `paused`. The codec's arena must not be in use. */
  resume(): void {
    const codec = this.#codec
    this.paused = false
    if (this.#postponed !== undefined) {
      const { word, bytes } = this.#postponed
      this.#postponed = undefined
      this.#pin(-bytes.length)
      if (this.state === State.OPEN) this.#inflate(word, bytes, 0, bytes.length)
    }
    while (this.#held !== undefined && !this.paused && this.state < State.ENDING) {
      const { events, bytes, offset, isAdmitted } = this.#held.shift() as Held
      if (this.#held.length === 0) this.#held = undefined
      this.#pin(-events.byteLength - bytes.length)
      codec.events.set(events)
      codec.memory.set(bytes, offset)
      const count = events.length / 4
      if (isAdmitted || this.#meter === undefined) this.#walk(count, true)
      else this.#walkMetered(this.#meter, count, 0, true)
    }
  }

  /** The transport reads again only when nothing is held. */
  get holds(): boolean {
    return this.#held !== undefined || this.#postponed !== undefined
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

  /** As `#walk`, as far as the meter lets it. */
  #walkMetered(meter: Meter, count: number, bytes: number, front = false): void {
    // What is thrown away need not be measured.
    if (this.state !== State.OPEN) return this.#walk(count, front)
    const end = meter.admit(this.#codec.events, count, bytes)
    const isHeld = end < count
    if (isHeld) this.#hold(end, count, front)
    this.#walk(end, front || isHeld)
    if (this.state !== State.OPEN || !(isHeld || meter.isSpent)) return
    this.paused = true
    this.#owner.throttled()
  }

  /**
   * Delivers the first `count` events of the codec's table.
   *
   * @param front what is not delivered, since it is paused, comes before all that is held
   */
  #walk(count: number, front = false): void {
    const events = this.#codec.events
    this.#payloads.begin(events, count)
    for (let i = 0; i < count; i++) {
      if (this.state >= State.ENDING) return
      if (this.paused) return this.#hold(i, count, front, true)
      const at = i * 4
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
          return this.fail(frameError(length))
        default:
          if ((word & EVENT_WHOLE) === EVENT_WHOLE) {
            this.#receiveControl(word & EVENT_OPCODE, this.#codec.memory, start, start + length)
          } else this.#receiveControlPart(word, start, length)
      }
    }
  }

  #hold(first: number, count: number, front = false, isAdmitted = false): void {
    if (first >= count) return
    const codec = this.#codec
    const events = codec.events.slice(first * 4, count * 4)
    const last = events.length - 4
    const isError = (events[last] & 0xff) === EVENT_ERROR
    const offset = events[1]
    const end = events[last + 1] + (isError ? 0 : events[last + 2])
    const held = { events, bytes: Buffer.from(codec.memory.subarray(offset, end)), offset, isAdmitted }
    this.#held ??= []
    if (front) this.#held.unshift(held)
    else this.#held.push(held)
    const isGranted = this.#pin(events.byteLength + held.bytes.length)
    // What was held before is not asked for again.
    if (!isGranted && !front) this.fail(memoryError())
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
    const message = this.#message
    const before = message.memory
    message.append(memory, start, start + length, rest, final, this.#maxPayload)
    if (!this.#pin(message.memory - before)) {
      this.fail(memoryError())
      return undefined
    }
    if (!ends) return undefined
    this.#dropMessage()
    return message.take()
  }

  /** A compressed message, or a piece of one: it is inflated when all of it is here, and only then known to be valid. */
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
