import { writeSync, writevSync } from 'node:fs'
import { type OnReadOpts, Socket } from 'node:net'
import type { Transport, TransportOwner } from './transport.js'

/**
 * The part of Node's TCP handle that is used here. `fd` is asked for at every write: libuv answers with a negative
 * number from the moment the handle is closing, while a number that was kept would be somebody else's by then.
 */
interface TcpHandle {
  readonly fd: number
}

interface SocketInternals {
  _handle: TcpHandle | null
}

const TRANSPORT = Symbol('transport')

type TransportSocket = Socket & { [TRANSPORT]: SocketTransport }

/** Takes the handle out of a socket that nothing was read from; the socket is an empty shell then. */
export function takeHandle(socket: Socket): object {
  const internals = socket as unknown as SocketInternals
  const handle = internals._handle
  internals._handle = null
  if (handle === null) throw new Error('the socket has ended')
  return handle
}

/** What a transport may be made of: a handle taken out of another socket, or a descriptor that is ours. */
export type SocketSource = { handle: object } | { fd: number }

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
  #ended = false

  #onWritten: ((error?: Error | null) => void) | undefined

  /**
   * Begins to read at once; `owner` is called from the next turn on.
   *
   * @param admission number of the connection, for `registry`
   * @param reader made by `createReader`, one for all sockets of a shard
   * @throws when `source` is no socket (the descriptor then stays the caller's)
   */
  constructor(
    source: SocketSource,
    reader: SocketReader,
    owner: TransportOwner,
    admission: number,
    registry: Registry,
  ) {
    this.owner = owner
    this.admission = admission
    this.#registry = registry
    this.#arena = reader.buffer
    const options = { ...source, allowHalfOpen: true, onread: reader }
    const socket = new Socket(options)
    this.#socket = socket
    ;(socket as TransportSocket)[TRANSPORT] = this
    socket.on('end', onEnd)
    socket.on('error', onError)
    socket.on('close', onClose)
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? ''
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0
  }

  writeNow(bytes: Uint8Array, start: number, end: number): number {
    const fd = this.#descriptor()
    if (fd < 0) return 0
    try {
      return writeSync(fd, bytes, start, end - start)
    } catch (error) {
      return this.#refused(error)
    }
  }

  writePartsNow(parts: readonly Uint8Array[]): number {
    const fd = this.#descriptor()
    if (fd < 0) return 0
    try {
      return writevSync(fd, parts)
    } catch (error) {
      return this.#refused(error)
    }
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

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  detach(bytes: Buffer): Socket {
    const old = this.#socket
    old.pause()
    old.removeAllListeners()
    // The handle cannot forget the buffer that it was told to read into: without a reader of its own the new socket
    // would get nothing. (The HTTP parser reads from the handle itself, unless somebody listens to the socket's data.)
    const onread = { buffer: this.#arena, callback: pushBytes }
    const options = { handle: takeHandle(old), allowHalfOpen: true, onread }
    const socket = new Socket(options)
    old.destroy()
    socket.on('close', () => this.#registry.ended(this.admission))
    socket.unshift(bytes)
    return socket
  }

  /** @internal */
  ended(): void {
    this.#registry.ended(this.admission)
  }

  /** The descriptor as it is *now*; negative when the socket has ended. See `TcpHandle`. */
  #descriptor(): number {
    const handle = (this.#socket as unknown as SocketInternals)._handle
    return handle === null ? -1 : handle.fd
  }

  #refused(error: unknown): number {
    const code = (error as NodeJS.ErrnoException).code
    // Anything but a full buffer is the connection's end; whoever called is told by `closed`, not from within.
    if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK' && code !== 'EINTR') this.#socket.destroy()
    return 0
  }
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
