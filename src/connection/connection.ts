import type { RequestFacts } from '../app.js'
import { checkClose, serializeClose } from '../codec/close.js'
import type { DeflateAgreement } from '../handshake/deflate.js'
import { Counter, count } from '../ledger.js'
import { memoryError } from '../protocol/budget.js'
import { Protocol, type ProtocolOwner } from '../protocol/protocol.js'
import { State } from '../protocol/state.js'
import { CloseCode, Opcode, RSV1 } from '../rfc6455.js'
import type { SendStatus, Socket } from '../socket.js'
import type { Debtor } from './arrears.js'
import { Backpressure, backpressureError } from './backpressure.js'
import { Diagnostics } from './diagnostics.js'
import { recordEnd } from './end-record.js'
import type { Environment } from './environment.js'
import { isPending, reportFailure } from './failure.js'
import { MessageDeflater } from './message-deflater.js'
import { MessageInflater } from './message-inflater.js'
import { Outbox, type OutboxOwner } from './outbox.js'
import { asBytes, asPingPayload } from './payload.js'
import { type HandlersOwner, PendingHandlers } from './pending-handlers.js'
import { RateLimit, type RateLimited, rateError } from './rate-limit.js'
import type { Transport, TransportOwner } from './transport.js'
import { Watch, type Watched } from './watch.js'

const NOTHING = Buffer.alloc(0)
/**
 * Reads one after the other that fill the arena: then there may be more, and libuv would read up to 32 times before it
 * looks at anybody else. Each costs about as much as what is in it, and a stop and a start as much as a tenth of that.
 */
const MOST_FULL_READS = 4
const READY_STATES = ['open', 'closing', 'closing', 'closed'] as const

/**
 * One WebSocket connection: it binds the protocol to a transport and is the `Socket` that the application sees. Here
 * are the calls of the application's handlers and backpressure; not: framing, the rules of the protocol, deadlines,
 * sockets.
 */
export class Connection
  implements
    Socket<unknown>,
    TransportOwner,
    ProtocolOwner,
    OutboxOwner,
    Watched,
    RateLimited,
    HandlersOwner,
    Debtor
{
  readonly id: number
  data: unknown
  readonly request: RequestFacts
  readonly protocol: string
  readonly #environment: Environment
  readonly #transport: Transport
  readonly #outbox: Outbox
  readonly #backpressure: Backpressure
  readonly #machine: Protocol
  readonly #watch: Watch
  readonly #slot: number
  /** Where permessage-deflate was negotiated. */
  readonly #deflater: MessageDeflater | undefined
  readonly #inflater: MessageInflater | undefined
  /** Where there is a limit to what the peer may send in a time. */
  readonly #rate: RateLimit | undefined
  /** It has sent more. */
  #throttled = false
  /** The application paused. */
  #paused = false
  /** Where a handler has returned a promise. */
  #pending: PendingHandlers | undefined
  /** The peer has sent FIN. */
  #peerEnded = false
  /** Reads in a row that filled the arena. */
  #fullReads = 0
  /** The shard's arrears have this connection. */
  #inArrears = false
  /** The latest Ping that could not be answered yet, since the peer does not read (RFC 6455 5.5.3). */
  #pongDue: Buffer | undefined

  /**
   * @param slot of the codec; given back when the connection ends
   * @param deflate what was negotiated, if anything, and `slot` was acquired for
   */
  constructor(
    environment: Environment,
    transport: Transport,
    slot: number,
    request: RequestFacts,
    protocol: string,
    data: unknown,
    deflate?: DeflateAgreement,
  ) {
    this.id = environment.nextId++
    this.data = data
    this.request = request
    this.protocol = protocol
    this.#environment = environment
    this.#transport = transport
    this.#slot = slot
    this.#outbox = new Outbox(this, transport, environment.turn, environment.counters)
    this.#backpressure = new Backpressure(this.#outbox, transport, environment)
    const { app, codec, compression, memory, payloads, options } = environment
    if (deflate !== undefined && compression !== undefined) {
      this.#deflater = new MessageDeflater(compression, deflate)
      this.#inflater = new MessageInflater(compression, deflate)
      count(environment.counters, Counter.COMPRESSING)
    }
    const views = app.views === true
    const { maxPayload, maxMessagesPerSecond, maxBytesPerSecond } = options
    if (maxMessagesPerSecond > 0 || maxBytesPerSecond > 0) this.#rate = new RateLimit(environment, this)
    const [inflater, rate] = [this.#inflater, this.#rate]
    this.#machine = new Protocol(this, codec, slot, payloads, maxPayload, views, memory, inflater, rate)
    this.#watch = new Watch(environment, this)
  }

  /** Takes the transport over: sends the handshake's response, then the connection is open. */
  begin(response: string): void {
    const { app, connections, counters } = this.#environment
    this.#transport.owner = this
    connections.add(this)
    count(counters, Counter.OPENED)
    this.#outbox.sendHead(response)
    this.#watch.armIdle()
    if (Diagnostics.OPEN.hasSubscribers) Diagnostics.OPEN.publish({ socket: this })
    if (app.open !== undefined) this.#call(app.open, NOTHING, false)
  }

  // The application's side.

  get readyState(): 'open' | 'closing' | 'closed' {
    return READY_STATES[this.#machine.state]
  }

  get bufferedAmount(): number {
    return this.#outbox.bufferedAmount
  }

  send(data: string | ArrayBufferLike | ArrayBufferView, binary?: boolean, compress?: boolean): SendStatus {
    if (this.#deflater?.takes(data, compress) === true) return this.#sendCompressed(data, binary)
    const outbox = this.#outbox
    if (typeof data === 'string') {
      if (binary === true) return this.send(Buffer.from(data), true, false)
      if (this.#machine.state !== State.OPEN) return this.#drop()
      if (outbox.isWaiting && !this.#hasRoom(Buffer.byteLength(data))) return this.#drop()
      outbox.sendText(data)
    } else {
      const bytes = asBytes(data)
      if (this.#machine.state !== State.OPEN) return this.#drop()
      if (outbox.isWaiting && !this.#hasRoom(bytes.length)) return this.#drop()
      outbox.sendBytes(binary === false ? Opcode.TEXT : Opcode.BINARY, bytes)
    }
    count(this.#environment.counters, Counter.MESSAGES_OUT)
    return outbox.isWaiting ? this.#buffered() : 'sent'
  }

  ping(data: string | Uint8Array = NOTHING): SendStatus {
    const payload = asPingPayload(data)
    const outbox = this.#outbox
    if (this.#machine.state !== State.OPEN) return this.#drop()
    if (outbox.isWaiting && !this.#hasRoom(payload.length)) return this.#drop()
    outbox.sendBytes(Opcode.PING, payload)
    return outbox.isWaiting ? this.#buffered() : 'sent'
  }

  close(code: number = CloseCode.NORMAL, reason = ''): void {
    checkClose(code, reason)
    if (this.#machine.state !== State.OPEN) return
    this.#machine.close(code, reason)
    this.#watch.armClose()
    // The peer's Close frame may be among what was held back.
    if (this.isDeaf) this.#resumeLater()
    this.#paused = this.#throttled = false
  }

  terminate(): void {
    this.#machine.abort()
    this.#transport.destroy()
  }

  pause(): void {
    if (this.#machine.state !== State.OPEN) return
    this.#paused = true
    this.#watch.deafened()
    this.#machine.paused = true
    this.#backpressure.stopReading()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#resumeLater()
  }

  // The transport's side.

  receive(length: number): void {
    const { codec } = this.#environment
    this.receiveAt(codec.readOffset, length)
    if (length < codec.readArena.length) this.#fullReads = 0
    else if (++this.#fullReads >= MOST_FULL_READS && this.#machine.state < State.ENDING) {
      this.#fullReads = 0
      this.continueLater()
    }
  }

  /** As `receive`, for bytes that are elsewhere in the codec's memory. */
  receiveAt(offset: number, length: number): void {
    this.#watch.heard()
    count(this.#environment.counters, Counter.BYTES_IN, length)
    this.#machine.receive(offset, length)
  }

  receiveEnd(): void {
    this.#peerEnded = true
    this.#endWhenAnswered()
    if (this.#machine.state === State.OPEN) this.#watch.armClose()
  }

  written(): void {
    this.#watch.taken()
    this.#outbox.written()
  }

  closed(): void {
    const { app, compression, connections, codec } = this.#environment
    const machine = this.#machine
    if (machine.state === State.CLOSED) return
    machine.transportClosed()
    this.#watch.end()
    this.#rate?.end()
    codec.release(this.#slot)
    this.#deflater?.release()
    this.#inflater?.release()
    compression?.inflateTurns.drop(this)
    this.#outbox.discard()
    this.#pongDue = undefined
    connections.delete(this)
    recordEnd(this.#environment, this, machine)
    if (app.close === undefined) return
    try {
      const result = app.close(this, machine.closeCode, machine.closeReason)
      if (isPending(result)) this.#follow(result)
    } catch (error) {
      this.handlerFailed(error)
    }
  }

  // The protocol's side.

  deliverMessage(data: string | Buffer, isBinary: boolean): void {
    const { app, counters } = this.#environment
    count(counters, Counter.MESSAGES_IN)
    if (app.message !== undefined) this.#call(app.message, data, isBinary)
  }

  deliverPing(source: Buffer, start: number, end: number): void {
    if (this.#outbox.isWaiting) {
      // A peer that pings and does not read: only the latest Ping needs an answer, so one is all that is kept.
      if (this.#pongDue !== undefined) count(this.#environment.counters, Counter.PONGS_SKIPPED)
      this.#pongDue = Buffer.from(source.subarray(start, end))
    } else this.#outbox.sendControl(Opcode.PONG, source, start, end)
    const { app } = this.#environment
    if (app.ping !== undefined) this.#call(app.ping, source.subarray(start, end), false)
  }

  deliverPong(source: Buffer, start: number, end: number): void {
    if (start === end) this.#watch.pong()
    const { app } = this.#environment
    if (app.pong !== undefined) this.#call(app.pong, source.subarray(start, end), false)
  }

  throttled(): void {
    const { counters, options } = this.#environment
    count(counters, Counter.RATE_LIMITED)
    if (options.rateLimitPolicy === 'close') return this.#machine.fail(rateError())
    this.#throttled = true
    this.#watch.deafened()
    this.#backpressure.stopReading()
    this.#rate?.wait()
  }

  rateRecovered(): void {
    this.#throttled = false
    this.#resumeNow()
  }

  postponed(): void {
    count(this.#environment.counters, Counter.POSTPONED)
    this.#backpressure.stopReading()
    this.#environment.compression?.inflateTurns.wait(this)
  }

  /** The shard has time for the message that it has put off. */
  inflateNow(): void {
    this.#inflater?.grant()
    this.#resumeNow()
  }

  sendClose(code: number, reason: string): void {
    const payload = Buffer.from(serializeClose(code, reason).buffer)
    this.#outbox.sendControl(Opcode.CLOSE, payload, 0, payload.length)
  }

  /**
   * RFC 6455 7.1.1: the server ends TCP first. Our FIN follows our last byte; then what still comes is read and
   * thrown away until the peer's FIN, since closing over unread bytes would turn into a reset, which could destroy
   * our Close frame on its way.
   */
  finish(): void {
    this.#watch.armClose()
    this.#outbox.endWhenEmpty()
    this.#paused = this.#throttled = false
    this.#startReading()
  }

  continueLater(): void {
    this.#backpressure.stopReading()
    this.#resumeLater()
  }

  // The outbox's side.

  outputWaits(): void {
    if (this.#machine.state !== State.OPEN) return
    if (this.#backpressure.isAffordable(0)) return this.#slowDown()
    // Its Close frame would come behind what waits, which is to be given up now.
    this.#machine.fail(memoryError())
    this.#transport.destroy()
  }

  /** While much waits for the peer nothing is delivered that would have to be answered. */
  #slowDown(): void {
    if (this.#machine.state !== State.OPEN || !this.#backpressure.isHigh) return
    // What the present read has still to deliver would be answered, too.
    this.#machine.paused = true
    this.#backpressure.stopReading()
  }

  outputTaken(): void {
    if (this.#machine.state >= State.ENDING) return
    if (this.#pongDue !== undefined && !this.#outbox.isWaiting && this.#machine.state === State.OPEN) {
      const payload = this.#pongDue
      this.#pongDue = undefined
      this.#outbox.sendControl(Opcode.PONG, payload, 0, payload.length)
    }
    if (this.#backpressure.isHigh) return
    const { app } = this.#environment
    if (this.#backpressure.drainDue && this.#machine.state === State.OPEN) {
      this.#backpressure.drainDue = false
      if (app.drain !== undefined) this.#call(app.drain, NOTHING, false)
    }
    if (this.isDeaf || this.#backpressure.isHigh) return
    if (this.#machine.holds) return this.#resumeLater()
    this.#machine.paused = false
    this.#startReading()
  }

  // The watch's side.

  get isOpen(): boolean {
    return this.#machine.state === State.OPEN && !this.#peerEnded
  }

  get isDeaf(): boolean {
    return this.#paused || this.#throttled
  }

  isConnected(): boolean {
    return this.#transport.isConnected()
  }

  sendPing(): void {
    this.#outbox.sendBytes(Opcode.PING, NOTHING)
  }

  #sendCompressed(data: string | ArrayBufferLike | ArrayBufferView, binary?: boolean): SendStatus {
    const outbox = this.#outbox
    const deflater = this.#deflater as MessageDeflater
    const bytes = typeof data === 'string' ? Buffer.from(data) : asBytes(data)
    if (this.#machine.state !== State.OPEN) return this.#drop()
    if (outbox.isWaiting && !this.#hasRoom(deflater.mostLength(bytes.length))) return this.#drop()
    const opcode = (binary ?? typeof data !== 'string') ? Opcode.BINARY : Opcode.TEXT
    const deflated = deflater.deflate(bytes)
    if (deflated === undefined) outbox.sendBytes(opcode, bytes)
    else outbox.sendBytes(opcode | RSV1, deflated)
    count(this.#environment.counters, Counter.MESSAGES_OUT)
    return outbox.isWaiting ? this.#buffered() : 'sent'
  }

  // Backpressure.

  /** Whether a message of `length` bytes may wait for the peer as well. */
  #hasRoom(length: number): boolean {
    const hasRoom = this.#backpressure.hasRoom(length)
    if (hasRoom && this.#backpressure.isAffordable(length)) return true
    const { options } = this.#environment
    if (options.backpressurePolicy === 'close' && this.#machine.state === State.OPEN) {
      this.#machine.fail(hasRoom ? memoryError() : backpressureError())
    }
    return false
  }

  #drop(): SendStatus {
    count(this.#environment.counters, Counter.DROPPED)
    return 'dropped'
  }

  #buffered(): SendStatus {
    this.#backpressure.drainDue = true
    this.#slowDown()
    return 'buffered'
  }

  #startReading(): void {
    if (this.isDeaf || this.#machine.holds) return
    // After the end everything is read, and thrown away.
    if (this.#machine.state >= State.ENDING || !this.#backpressure.isHigh) this.#backpressure.startReading()
  }

  /** Not at once: the codec's arena may be in use by the very call that resumes. */
  #resumeLater(): void {
    if (this.#inArrears) return
    this.#inArrears = true
    this.#environment.arrears.add(this)
  }

  /** @internal */
  workOff(): void {
    this.#inArrears = false
    this.#resumeNow()
  }

  #resumeNow(): void {
    if (this.isDeaf || this.#machine.state >= State.ENDING) return
    // Nobody looked whether the peer was there.
    this.#watch.heard()
    if (!this.#backpressure.isHigh) this.#machine.resume()
    this.#startReading()
    this.#endWhenAnswered()
    // What leaves at the end of the turn has not waited, so that nobody says that it is taken.
    if (this.#backpressure.isHigh && !this.#outbox.isWaiting) this.#resumeLater()
  }

  /** After the peer's FIN: once everything that it sent is delivered and answered nothing is left to wait for. */
  #endWhenAnswered(): void {
    const machine = this.#machine
    if (!this.#peerEnded || machine.holds) return
    if (machine.state === State.OPEN && (this.isDeaf || this.#pending?.isEmpty === false)) return
    machine.receiveEnd()
  }

  // Handlers.

  #call(handler: Handler, data: string | Buffer, isBinary: boolean): void {
    try {
      const result = handler.call(this.#environment.app, this, data as never, isBinary)
      if (isPending(result)) this.#follow(result)
    } catch (error) {
      this.handlerFailed(error)
    }
  }

  #follow(result: PromiseLike<unknown>): void {
    this.#pending ??= new PendingHandlers(this)
    this.#pending.follow(result)
  }

  handlersSettled(): void {
    this.#endWhenAnswered()
  }

  handlerFailed(error: unknown): void {
    const { app, log } = this.#environment
    reportFailure(app, log, `connection ${this.id}: a handler failed`, error, this)
    if (this.#machine.state === State.OPEN) this.close(CloseCode.INTERNAL_ERROR, 'internal error')
  }
}

type Handler = (socket: Socket<unknown>, data: never, isBinary: boolean) => unknown
