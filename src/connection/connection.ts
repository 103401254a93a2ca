import type { RequestFacts } from '../app.js'
import { LimitError, StateError } from '../errors.js'
import { Counter } from '../ledger.js'
import { checkClose, serializeClose } from '../protocol/close.js'
import { Protocol, type ProtocolOwner } from '../protocol/protocol.js'
import { State } from '../protocol/state.js'
import { CloseCode, MAX_CONTROL_PAYLOAD, Opcode } from '../rfc6455.js'
import type { SendStatus, Socket } from '../socket.js'
import { Timed } from './deadlines.js'
import type { Environment } from './environment.js'
import { Outbox, type OutboxOwner } from './outbox.js'
import type { Transport, TransportOwner } from './transport.js'

const NOTHING = Buffer.alloc(0)
const READY_STATES = ['open', 'closing', 'closing', 'closed'] as const

/**
 * One WebSocket connection: it binds the protocol to a transport and is the `Socket` that the application sees. Here
 * are the calls of the application's handlers, backpressure, and what the deadlines do; not: framing, the rules of the
 * protocol, sockets.
 */
export class Connection extends Timed implements Socket<unknown>, TransportOwner, ProtocolOwner, OutboxOwner {
  readonly id: number
  data: unknown
  readonly request: RequestFacts
  readonly protocol: string
  readonly #environment: Environment
  readonly #transport: Transport
  readonly #outbox: Outbox
  readonly #machine: Protocol
  readonly #slot: number
  /** The tick of the last byte from the peer, or taken by it. */
  #activeTick: number
  /** A Ping of the server's own is out. */
  #pinged = false
  /** The application paused. */
  #paused = false
  /** Reading stands still, for the application's pause or since the peer does not read. */
  #stopped = false
  /** `send` returned `buffered`: a `drain` is due. */
  #drainDue = false
  /** Handlers whose promise is not settled. */
  #pendingHandlers = 0
  /** The peer has sent FIN. */
  #peerEnded = false
  /** The latest Ping that could not be answered yet, since the peer does not read (RFC 6455 5.5.3). */
  #pongDue: Buffer | undefined

  /** @param slot of the codec; given back when the connection ends */
  constructor(
    environment: Environment,
    transport: Transport,
    slot: number,
    request: RequestFacts,
    protocol: string,
    data: unknown,
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
    const { maxPayload } = environment.options
    this.#machine = new Protocol(this, environment.codec, slot, maxPayload, environment.app.views === true)
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
    if (app.open !== undefined) this.#call(app.open, NOTHING, false)
  }

  // The application's side.

  get readyState(): 'open' | 'closing' | 'closed' {
    return READY_STATES[this.#machine.state]
  }

  get bufferedAmount(): number {
    return this.#outbox.bufferedAmount
  }

  send(data: string | ArrayBufferLike | ArrayBufferView, binary?: boolean): SendStatus {
    const outbox = this.#outbox
    if (typeof data === 'string') {
      if (binary === true) return this.send(Buffer.from(data), true)
      if (
        this.#machine.state !== State.OPEN ||
        (outbox.isWaiting && !this.#hasRoom(Buffer.byteLength(data)))
      ) {
        return this.#drop()
      }
      outbox.sendText(data)
    } else {
      const bytes = asBytes(data)
      if (this.#machine.state !== State.OPEN || (outbox.isWaiting && !this.#hasRoom(bytes.length)))
        return this.#drop()
      outbox.sendBytes(binary === false ? Opcode.TEXT : Opcode.BINARY, bytes)
    }
    const counters = this.#environment.counters
    counters[Counter.MESSAGES_OUT] = (counters[Counter.MESSAGES_OUT] as number) + 1
    if (!outbox.isWaiting) return 'sent'
    this.#drainDue = true
    return 'buffered'
  }

  ping(data: string | Uint8Array = NOTHING): SendStatus {
    const payload = typeof data === 'string' ? Buffer.from(data) : asBytes(data)
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      throw new StateError(
        'ERR_CONTROL_TOO_LONG',
        `a Ping has at most ${MAX_CONTROL_PAYLOAD} bytes of payload`,
      )
    }
    const outbox = this.#outbox
    if (this.#machine.state !== State.OPEN || (outbox.isWaiting && !this.#hasRoom(payload.length)))
      return this.#drop()
    outbox.sendBytes(Opcode.PING, payload)
    if (!outbox.isWaiting) return 'sent'
    this.#drainDue = true
    return 'buffered'
  }

  close(code: number = CloseCode.NORMAL, reason = ''): void {
    checkClose(code, reason)
    if (this.#machine.state !== State.OPEN) return
    this.#machine.close(code, reason)
    this.#armClose()
    // The peer's Close frame may be among what was held back.
    this.#paused = false
    this.#resumeLater()
  }

  terminate(): void {
    this.#machine.abort()
    this.#transport.destroy()
  }

  pause(): void {
    if (this.#machine.state !== State.OPEN) return
    this.#paused = true
    this.#machine.paused = true
    this.#stopReading()
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
  }

  /** As `receive`, for bytes that are elsewhere in the codec's memory. */
  receiveAt(offset: number, length: number): void {
    const { counters, deadlines } = this.#environment
    this.#activeTick = deadlines.now
    this.#pinged = false
    counters[Counter.BYTES_IN] = (counters[Counter.BYTES_IN] as number) + length
    this.#machine.receive(offset, length)
  }

  receiveEnd(): void {
    this.#peerEnded = true
    // Once everything that the peer sent is answered nothing is left to wait for.
    if (this.#pendingHandlers === 0) this.#machine.receiveEnd()
    else this.#armClose()
  }

  written(): void {
    this.#activeTick = this.#environment.deadlines.now
    this.#outbox.written()
  }

  closed(): void {
    const { app, connections, codec, counters, deadlines } = this.#environment
    const machine = this.#machine
    if (machine.state === State.CLOSED) return
    machine.transportClosed()
    deadlines.drop(this)
    codec.release(this.#slot)
    this.#outbox.discard()
    this.#pongDue = undefined
    connections.delete(this)
    count(counters, Counter.CLOSED)
    const { log } = this.#environment
    if (machine.error !== undefined) log('debug', `connection ${this.id}: ${machine.error.message}`)
    log('debug', `connection ${this.id} closed: ${machine.closeCode} ${machine.closeReason}`)
    if (app.close === undefined) return
    try {
      this.#watch(app.close(this as Socket<unknown>, machine.closeCode, machine.closeReason))
    } catch (error) {
      this.#report(error)
    }
  }

  // The protocol's side.

  deliverMessage(data: string | Buffer, isBinary: boolean): void {
    const { app, counters } = this.#environment
    counters[Counter.MESSAGES_IN] = (counters[Counter.MESSAGES_IN] as number) + 1
    if (app.message !== undefined) this.#call(app.message as Handler, data, isBinary)
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
    const { app } = this.#environment
    if (app.pong !== undefined) this.#call(app.pong, source.subarray(start, end), false)
  }

  sendClose(code: number, reason: string): void {
    const payload = serializeClose(code, reason)
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

  // The outbox's side.

  outputWaits(): void {
    this.#checkBackpressure()
  }

  outputTaken(): void {
    if (this.#machine.state >= State.ENDING) return
    if (this.#pongDue !== undefined && !this.#outbox.isWaiting && this.#machine.state === State.OPEN) {
      const payload = this.#pongDue
      this.#pongDue = undefined
      this.#outbox.sendControl(Opcode.PONG, payload, 0, payload.length)
    }
    const { app, options } = this.#environment
    if (this.#outbox.bufferedAmount > options.highWaterMark) return
    if (this.#drainDue && this.#machine.state === State.OPEN) {
      this.#drainDue = false
      if (app.drain !== undefined) this.#call(app.drain, NOTHING, false)
    }
    if (!this.#paused) this.#startReading()
  }

  // Deadlines.

  expire(): void {
    const { options, deadlines } = this.#environment
    if (this.#machine.state !== State.OPEN || this.#peerEnded) return this.terminate()
    const idleMs = (deadlines.now - this.#activeTick) * deadlines.tickMs
    // A peer that the application does not listen to cannot show that it is there.
    if (!this.#paused) {
      if (options.idleTimeoutMs > 0 && idleMs >= options.idleTimeoutMs) return this.terminate()
      if (options.idlePingMs > 0 && idleMs >= options.idlePingMs && !this.#pinged) {
        this.#pinged = true
        this.#outbox.sendBytes(Opcode.PING, NOTHING)
      }
    }
    this.#armIdle()
  }

  #armIdle(): void {
    const { options, deadlines } = this.#environment
    const { idlePingMs, idleTimeoutMs } = options
    if (idlePingMs === 0 && idleTimeoutMs === 0) return
    const idleMs = this.#paused ? 0 : (deadlines.now - this.#activeTick) * deadlines.tickMs
    const limitMs = idlePingMs > 0 && !this.#pinged ? idlePingMs : idleTimeoutMs
    deadlines.set(this, Math.max(limitMs > 0 ? limitMs - idleMs : idlePingMs, deadlines.tickMs))
  }

  /** The closing handshake, or what is left of it, has this long (RFC 6455 7.1.1). */
  #armClose(): void {
    const { deadlines, options } = this.#environment
    deadlines.set(this, options.closeTimeoutMs)
  }

  // Backpressure.

  /** Whether a message of `length` bytes may wait for the peer as well. */
  #hasRoom(length: number): boolean {
    const { options } = this.#environment
    if (this.#outbox.bufferedAmount + length <= options.maxBackpressure) return true
    if (options.backpressurePolicy === 'close' && this.#machine.state === State.OPEN) {
      this.#machine.fail(
        new LimitError(
          'ERR_BACKPRESSURE',
          'more than maxBackpressure bytes wait for the peer',
          CloseCode.POLICY_VIOLATION,
        ),
      )
    }
    return false
  }

  #drop(): SendStatus {
    count(this.#environment.counters, Counter.DROPPED)
    return 'dropped'
  }

  #checkBackpressure(): void {
    if (this.#machine.state !== State.OPEN) return
    if (this.#outbox.bufferedAmount > this.#environment.options.highWaterMark) this.#stopReading()
  }

  #stopReading(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#transport.pause()
  }

  #startReading(): void {
    if (!this.#stopped || this.#paused || this.#machine.holds) return
    this.#stopped = false
    this.#transport.resume()
  }

  /** Not at once: the codec's arena may be in use by the very call that resumes. */
  #resumeLater(): void {
    setImmediate(resumeNow, this)
  }

  /** @internal */
  resumeNow(): void {
    if (this.#paused || this.#machine.state >= State.ENDING) return
    this.#machine.resume()
    if (this.#outbox.bufferedAmount <= this.#environment.options.highWaterMark) this.#startReading()
  }

  // Handlers.

  #call(handler: Handler, data: string | Buffer, isBinary: boolean): void {
    try {
      const result = handler.call(this.#environment.app, this, data as never, isBinary)
      if (typeof result === 'object' && result !== null) this.#watch(result)
    } catch (error) {
      this.#handlerFailed(error)
    }
  }

  /** A handler that returned a promise: its rejection is a failure like a throw. */
  #watch(result: unknown): void {
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') return
    this.#pendingHandlers++
    ;(result as PromiseLike<unknown>).then(
      () => this.#settled(),
      (error: unknown) => {
        this.#handlerFailed(error)
        this.#settled()
      },
    )
  }

  #settled(): void {
    this.#pendingHandlers--
    if (this.#pendingHandlers === 0 && this.#peerEnded) this.#machine.receiveEnd()
  }

  #handlerFailed(error: unknown): void {
    this.#report(error)
    if (this.#machine.state !== State.OPEN) return
    this.close(CloseCode.INTERNAL_ERROR, 'internal error')
  }

  #report(error: unknown): void {
    const { app, log } = this.#environment
    if (app.error === undefined) {
      log('error', `connection ${this.id}: a handler failed`, error)
      return
    }
    try {
      app.error(error, this as Socket<unknown>)
    } catch (second) {
      log('error', `connection ${this.id}: the error handler failed`, second)
    }
  }
}

type Handler = (socket: Socket<unknown>, data: never, isBinary: boolean) => unknown

function resumeNow(connection: Connection): void {
  connection.resumeNow()
}

function count(counters: Float64Array, index: number): void {
  counters[index] = (counters[index] as number) + 1
}

/** @throws StateError (`ERR_SEND_TYPE`) */
function asBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  throw new StateError(
    'ERR_SEND_TYPE',
    'send() takes a string, an ArrayBuffer or a view of one (such as a Buffer)',
  )
}
