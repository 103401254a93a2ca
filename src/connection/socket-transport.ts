import { type OnReadOpts, Socket } from 'node:net'
import { UNIX } from '../address.js'
import {
  ENDED,
  handleOf,
  isConnected,
  type TcpHandle,
  takeHandle,
  writePartsToHandle,
  writeToHandle,
} from '../tcp-handle.js'
import type { Transport, TransportOwner } from './transport.js'

const TRANSPORT = Symbol('transport')

/** Bytes of one read of a socket that is a stream again. */
const STREAM_READ = 64 * 1024

type TransportSocket = Socket & { [TRANSPORT]: SocketTransport }

/** Who is told that a connection has ended, whoever owned it in the end. */
export interface Registry {
  ended(admission: number): void
}

/** Where the bytes of a shard's sockets go, and who is told. Node calls the callback on the socket. */
export interface SocketReader extends OnReadOpts {
  buffer: Uint8Array
}

/** @param arena the codec's read arena */
export function createReader(arena: Uint8Array): SocketReader {
  return { buffer: arena, callback: onBytes }
}

/**
 * A plain TCP (or Unix domain) socket. The kernel writes what arrives into the codec's read arena, which all sockets
 * of the shard share, since the callback is synchronous; what is sent goes to the descriptor directly, which says
 * how much the kernel took. Node's own write queue is used only for what the kernel did not take.
 */
export class SocketTransport implements Transport {
  owner: TransportOwner
  readonly admission: number
  readonly #registry: Registry
  readonly #socket: Socket
  readonly #arena: Uint8Array
  /** Descriptors are there to be written to: not so on Windows, where everything goes through the write queue. */
  readonly #isDirect: boolean
  /** A Unix domain socket: its peer has no address. */
  readonly #isUnix: boolean
  #ended = false

  #onWritten: ((error?: Error | null) => void) | undefined

  /**
   * Begins to read at once; `owner` is called from the next turn on.
   *
   * @param admission number of the connection, for `registry`
   * @param reader made by `createReader`, one for all sockets of a shard
   */
  constructor(
    handle: TcpHandle,
    reader: SocketReader,
    owner: TransportOwner,
    admission: number,
    registry: Registry,
  ) {
    this.owner = owner
    this.admission = admission
    this.#registry = registry
    this.#arena = reader.buffer
    this.#isDirect = handle.fd >= 0
    this.#isUnix = handle.getpeername === undefined
    const options = { handle, allowHalfOpen: true, onread: reader }
    const socket = new Socket(options)
    this.#socket = socket
    ;(socket as TransportSocket)[TRANSPORT] = this
    socket.on('end', onEnd)
    socket.on('error', onError)
    socket.on('close', onClose)
  }

  get remoteAddress(): string {
    return this.#isUnix ? UNIX : (this.#socket.remoteAddress ?? '')
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0
  }

  /** None. */
  get tls(): undefined {
    return undefined
  }

  writeNow(bytes: Uint8Array, start: number, end: number): number {
    if (!this.#isDirect) return 0
    const taken = writeToHandle(handleOf(this.#socket), bytes, start, end)
    return taken === ENDED ? this.#refuse() : taken
  }

  writePartsNow(parts: readonly Uint8Array[]): number {
    if (!this.#isDirect) return 0
    const taken = writePartsToHandle(handleOf(this.#socket), parts)
    return taken === ENDED ? this.#refuse() : taken
  }

  writeLater(bytes: Uint8Array): void {
    // Only connections whose peer reads slowly need it, so it is not made for the others.
    this.#onWritten ??= error => {
      if (error === undefined || error === null) this.owner.written()
    }
    if (!this.#socket.destroyed) this.#socket.write(bytes, this.#onWritten)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  isConnected(): boolean {
    const handle = handleOf(this.#socket)
    return handle !== null && isConnected(handle)
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** It is not. */
  secure(): boolean {
    return false
  }

  detach(bytes: Buffer): Socket {
    const old = this.#socket
    old.pause()
    old.removeAllListeners()
    // The handle cannot forget the buffer that it was told to read into: without a reader of its own the new socket
    // would get nothing. Small reads, since a stream that is told to stop has got one already.
    const onread = { buffer: this.#arena.subarray(0, STREAM_READ), callback: pushBytes }
    const options = { handle: takeHandle(old), allowHalfOpen: true, onread }
    const socket = new Socket(options)
    old.destroy()
    socket.on('close', () => this.#registry.ended(this.admission))
    socket.unshift(bytes)
    return socket
  }

  reattach(stream: Socket, owner: TransportOwner): SocketTransport {
    const reader = { buffer: this.#arena, callback: onBytes }
    return new SocketTransport(retakeHandle(stream), reader, owner, this.admission, this.#registry)
  }

  /** @internal */
  ended(): void {
    this.#registry.ended(this.admission)
  }

  /** Whoever wrote is told by `closed` that the connection has ended, not from within. */
  #refuse(): number {
    this.#socket.destroy()
    return 0
  }
}

/** Takes the handle out of a socket that `detach` made. */
export function retakeHandle(socket: Socket): TcpHandle {
  // That it closes now is not the end of the connection.
  socket.removeAllListeners()
  // Stops the handle, and has it know that it was stopped: else the next socket would not start it.
  socket.pause()
  const handle = takeHandle(socket)
  socket.destroy()
  return handle
}

function onBytes(this: Socket, length: number): boolean {
  ;(this as TransportSocket)[TRANSPORT].owner.receive(length)
  return true
}

/** For a socket that is read as a stream again: the arena is the next socket's at once. */
function pushBytes(this: Socket, length: number, arena: Uint8Array): boolean {
  return this.push(Buffer.from(arena.subarray(0, length)))
}

function onEnd(this: Socket): void {
  ;(this as TransportSocket)[TRANSPORT].owner.receiveEnd()
}

function onError(): void {
  // 'close' follows and says all there is to say: a reset is no event of its own.
}

function onClose(this: Socket): void {
  const transport = (this as TransportSocket)[TRANSPORT]
  transport.owner.closed()
  transport.ended()
}
