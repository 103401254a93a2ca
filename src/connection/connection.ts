import type { RequestFacts } from '../app.js'
import { checkClose, serializeClose } from '../codec/close.js'
import type { DeflateAgreement } from '../handshake/deflate.js'
import { Counter, closeCounter, count, Histogram, observe } from '../ledger.js'
import { Protocol, type ProtocolOwner } from '../protocol/protocol.js'
import { State } from '../protocol/state.js'
import { CloseCode, Opcode, RSV1 } from '../rfc6455.js'
import type { SendStatus, Socket } from '../socket.js'
import type { Debtor } from './arrears.js'
import { Backpressure, backpressureError } from './backpressure.js'
import { Timed } from './deadlines.js'
import { Diagnostics } from './diagnostics.js'
import type { Environment } from './environment.js'
import { isPending, reportFailure } from './failure.js'
import { isGivenUp, isPingDue, nextLook } from './liveness.js'
import { MessageDeflater } from './message-deflater.js'
import { MessageInflater } from './message-inflater.js'
import { Outbox, type OutboxOwner } from './outbox.js'
import { asBytes, asPingPayload } from './payload.js'
import type { Transport, TransportOwner } from './transport.js'

const NOTHING = Buffer.alloc(0)
const READY_STATES = ['open', 'closing', 'closing', 'closed'] as const

/**
 * One WebSocket connection: it binds the protocol to a transport and is the `Socket` that the application sees. Here
 * are the calls of the application's handlers, backpressure, and what the deadlines do; not: framing, the rules of the
 * protocol, sockets.
 */
export class Connection
  extends Timed
  implements Socket<unknown>, TransportOwner, ProtocolOwner, OutboxOwner, Debtor
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
  readonly #slot: number
  /** Where permessage-deflate was negotiated. */
  readonly #deflater: MessageDeflater | undefined
  readonly #inflater: MessageInflater | undefined
  /** The tick of the last byte from the peer, or taken by it. */
  #activeTick: number
  /** The peer took what waited for it, since the closing handshake's deadline was set. */
  #progressed = false
  /** A Ping of the server's own is out. */
  #pinged = false
  /** When the Ping that waits for its Pong was sent, in microseconds of the shard, modulo 2^32; 0 for none. */
  #pingedUs = 0
  /** The application paused. */
  #paused = false
  /** Handlers whose promise is not settled. */
  #pendingHandlers = 0
  #onSettled: (() => void) | undefined
  #onRejected: ((error: unknown) => void) | undefined
  /** The peer has sent FIN. */
  #peerEnded = false
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
    super()
    this.id = environment.nextId++
    this.data = data
    this.request = request
    this.protocol = protocol
    this.#environment = environment
    this.#transport = transport
    this.#slot = slot
    this.#outbox = new Outbox(this, transport, environment.turn, environment.counters)
    this.#backpressure = new Backpressure(this.#outbox, transport, environment.options)
    const { app, codec, compression, payloads, options } = environment
    if (deflate !== undefined && compression !== undefined) {
      this.#deflater = new MessageDeflater(compression, deflate)
      this.#inflater = new MessageInflater(compression, deflate)
      count(environment.counters, Counter.COMPRESSING)
    }
    const views = app.views === true
    this.#machine = new Protocol(this, codec, slot, payloads, options.maxPayload, views, this.#inflater)
    this.#activeTick = environment.deadlines.now
  }

  /** Takes the transport over: sends the handshake's response, then the connection is open. */
  begin(response: string): void {
    const { app, connections, counters } = this.#environment
    this.#transport.owner = this
    connections.add(this)
    count(counters, Counter.OPENED)
    this.#outbox.sendHead(response)
    this.#armIdle()
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
    this.#armClose()
    // The peer's Close frame may be among what was held back.
    this.resume()
  }

  terminate(): void {
    this.#machine.abort()
    this.#transport.destroy()
  }

  pause(): void {
    if (this.#machine.state !== State.OPEN) return
    this.#paused = true
    // When its Pong will be delivered says nothing about the peer.
    this.#pingedUs = 0
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
    // There may be more, and libuv would read up to 32 times before it looks at anybody else.
    if (length === codec.readArena.length && this.#machine.state < State.ENDING) this.continueLater()
  }

  /** As `receive`, for bytes that are elsewhere in the codec's memory. */
  receiveAt(offset: number, length: number): void {
    const { counters, deadlines } = this.#environment
    this.#activeTick = deadlines.now
    this.#pinged = false
    count(counters, Counter.BYTES_IN, length)
    this.#machine.receive(offset, length)
  }

  receiveEnd(): void {
    this.#peerEnded = true
    this.#endWhenAnswered()
    if (this.#machine.state === State.OPEN) this.#armClose()
  }

  written(): void {
    this.#activeTick = this.#environment.deadlines.now
    this.#progressed = true
    this.#outbox.written()
  }

  closed(): void {
    const { app, compression, connections, codec, counters, deadlines, log } = this.#environment
    const machine = this.#machine
    if (machine.state === State.CLOSED) return
    machine.transportClosed()
    deadlines.drop(this)
    codec.release(this.#slot)
    this.#deflater?.release()
    this.#inflater?.release()
    compression?.inflateTurns.drop(this)
    this.#outbox.discard()
    this.#pongDue = undefined
    connections.delete(this)
    count(counters, closeCounter(machine.closeCode))
    count(counters, Counter.CLOSED)
    const fault = machine.error?.code
    const facts = { event: 'connection.closed', connection: this.id, code: machine.closeCode, fault }
    log(
      'debug',
      `connection ${this.id} closed: ${machine.closeCode} ${fault ?? ''}`.trimEnd(),
      undefined,
      facts,
    )
    if (Diagnostics.CLOSE.hasSubscribers) {
      Diagnostics.CLOSE.publish({ socket: this, code: machine.closeCode, reason: machine.closeReason })
    }
    if (app.close === undefined) return
    try {
      const result = app.close(this, machine.closeCode, machine.closeReason)
      if (isPending(result)) this.#watch(result)
    } catch (error) {
      this.#handlerFailed(error)
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
    if (this.#pingedUs !== 0 && start === end) this.#measurePing()
    const { app } = this.#environment
    if (app.pong !== undefined) this.#call(app.pong, source.subarray(start, end), false)
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
    this.#armClose()
    this.#outbox.endWhenEmpty()
    this.#paused = false
    this.#startReading()
  }

  continueLater(): void {
    this.#backpressure.stopReading()
    this.#resumeLater()
  }

  // The outbox's side.

  outputWaits(): void {
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
    if (this.#paused || this.#backpressure.isHigh) return
    if (this.#machine.holds) return this.#resumeLater()
    this.#machine.paused = false
    this.#startReading()
  }

  // Deadlines.

  expire(): void {
    const { options, deadlines } = this.#environment
    if (this.#machine.state !== State.OPEN || this.#peerEnded) {
      // A peer that reads gets all that waits for it; what the application does not hear yet can't be answered in time.
      const goesOn = (this.#progressed || this.#paused) && this.#transport.isConnected()
      return goesOn ? this.#armClose() : this.terminate()
    }
    const idleMs = this.#idleMs
    if (this.#paused) {
      // A peer that the application does not listen to cannot show that it is there; that it is not the kernel knows,
      // at the latest when the Ping was refused.
      if (!this.#transport.isConnected()) return this.terminate()
      if (!this.#pinged && options.idlePingMs > 0) this.#outbox.sendBytes(Opcode.PING, NOTHING)
      this.#pinged = true
    } else if (isPingDue(options, idleMs, this.#pinged)) {
      this.#pinged = true
      // The peer has the full time to answer, however late the Ping is since this thread was busy.
      this.#activeTick = deadlines.now - Math.floor(options.idlePingMs / deadlines.tickMs)
      this.#pingedUs = this.#nowUs | 1
      this.#outbox.sendBytes(Opcode.PING, NOTHING)
    } else if (isGivenUp(options, idleMs)) return this.terminate()
    this.#armIdle()
  }

  /** Small enough, like this, to be no object of its own. */
  get #nowUs(): number {
    return (this.#environment.deadlines.elapsedMs * 1000) | 0
  }

  /** The Pong to the server's own Ping, which has no payload. */
  #measurePing(): void {
    const us = ((this.#nowUs | 1) - this.#pingedUs) >>> 0
    this.#pingedUs = 0
    observe(this.#environment.counters, Histogram.PING, us / 1e6)
  }

  get #idleMs(): number {
    const { deadlines } = this.#environment
    return this.#paused ? 0 : (deadlines.now - this.#activeTick) * deadlines.tickMs
  }

  #armIdle(): void {
    const { options, deadlines } = this.#environment
    const idleMs = this.#idleMs
    const lookMs = nextLook(options, idleMs, this.#pinged) - idleMs
    if (lookMs < Number.POSITIVE_INFINITY) deadlines.set(this, Math.max(lookMs, deadlines.tickMs))
  }

  /** The closing handshake, or what is left of it, has this long (RFC 6455 7.1.1). */
  #armClose(): void {
    const { deadlines, options } = this.#environment
    this.#progressed = false
    deadlines.set(this, options.closeTimeoutMs)
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
    if (this.#backpressure.hasRoom(length)) return true
    const { options } = this.#environment
    if (options.backpressurePolicy === 'close' && this.#machine.state === State.OPEN) {
      this.#machine.fail(backpressureError())
    }
    return false
  }

  #drop(): SendStatus {
    count(this.#environment.counters, Counter.DROPPED)
    return 'dropped'
  }

  #buffered(): SendStatus {
    this.#backpressure.drainDue = true
    this.outputWaits()
    return 'buffered'
  }

  #startReading(): void {
    if (this.#paused || this.#machine.holds) return
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
    if (this.#paused || this.#machine.state >= State.ENDING) return
    // Nobody looked whether the peer was there.
    this.#activeTick = this.#environment.deadlines.now
    this.#pinged = false
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
    if (machine.state === State.OPEN && (this.#paused || this.#pendingHandlers > 0)) return
    machine.receiveEnd()
  }

  // Handlers.

  #call(handler: Handler, data: string | Buffer, isBinary: boolean): void {
    try {
      const result = handler.call(this.#environment.app, this, data as never, isBinary)
      if (isPending(result)) this.#watch(result)
    } catch (error) {
      this.#handlerFailed(error)
    }
  }

  /** A handler that returned a promise: its rejection is a failure like a throw. */
  #watch(result: PromiseLike<unknown>): void {
    this.#pendingHandlers++
    // Made once: asynchronous handlers run as often as others.
    this.#onSettled ??= () => {
      this.#pendingHandlers--
      this.#endWhenAnswered()
    }
    this.#onRejected ??= error => {
      this.#handlerFailed(error)
      this.#onSettled?.()
    }
    // Of what is no real promise nothing is certain but this: it is called later, and answers once.
    Promise.resolve(result).then(this.#onSettled, this.#onRejected)
  }

  #handlerFailed(error: unknown): void {
    const { app, log } = this.#environment
    reportFailure(app, log, `connection ${this.id}: a handler failed`, error, this)
    if (this.#machine.state === State.OPEN) this.close(CloseCode.INTERNAL_ERROR, 'internal error')
  }
}

type Handler = (socket: Socket<unknown>, data: never, isBinary: boolean) => unknown
