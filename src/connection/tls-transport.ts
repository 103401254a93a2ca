import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { UNIX } from '../address.js'
import type { TlsFacts } from '../app.js'
import { Counter, count } from '../ledger.js'
import { handleOf, isConnected, type TcpHandle } from '../tcp-handle.js'
import type { Registry } from './socket-transport.js'
import type { Transport, TransportOwner } from './transport.js'

const TRANSPORT = Symbol('transport')

type TransportSocket = Socket & { [TRANSPORT]?: TlsTransport }

/** What Node's sockets over TLS have beside what is documented: the socket they were made of. */
interface TlsInternals {
  _parent?: TransportSocket
}

/** Bytes that are encrypted at a time: what the peer does not take of them is in memory twice. */
const MOST_AT_ONCE = 64 * 1024

/** The transport under a stream that a TLS server made of `TlsTransport.socket`. */
export function transportOf(stream: TLSSocket): TlsTransport | undefined {
  return (stream as unknown as TlsInternals)._parent?.[TRANSPORT]
}

/**
 * TLS over a socket. What carries it is Node's own `TLSSocket`; whoever made the transport gives `socket` to a TLS
 * server, and `begin` is called when the TLS handshake is over. Until then nothing is received, and whoever writes
 * ends the connection, since there is nobody yet who could understand it.
 *
 * Decrypted bytes are copied into the read arena. Bytes to send are copied too, for TLS keeps them. As elsewhere they
 * count as taken when the kernel has taken them, encrypted, and only then. Since what is encrypted can't be taken
 * back, the bytes of a refused write are `#ahead`: TLS has them, the owner thinks that they wait. Whatever it offers
 * next begins with them.
 */
export class TlsTransport implements Transport {
  owner: TransportOwner
  readonly admission: number
  /** To be given to a TLS server. */
  readonly socket: Socket
  readonly #arena: Uint8Array
  readonly #registry: Registry
  readonly #counters: Float64Array
  /** A Unix domain socket: its peer has no address. */
  readonly #isUnix: boolean
  /** Once the TLS handshake is over. */
  #stream: TLSSocket | undefined
  #facts: TlsFacts | undefined
  #paused = false
  #detached = false
  /** Begins TLS; undefined once that has happened. */
  #onSecure: (() => void) | undefined
  /** Of a chunk longer than the arena: what was not received yet. */
  #rest: Buffer | undefined
  /** Writes that TLS has not reported as done. */
  #writes = 0
  #ahead = 0
  /** The owner waits for `written`. */
  #later = false
  #onWritten: ((error?: Error | null) => void) | undefined

  /**
   * @param admission number of the connection, for `registry`
   * @param onSecure where something comes before TLS that the owner receives as it is: called when it is over
   */
  constructor(
    handle: TcpHandle,
    arena: Uint8Array,
    owner: TransportOwner,
    admission: number,
    registry: Registry,
    counters: Float64Array,
    onSecure?: () => void,
  ) {
    this.owner = owner
    this.admission = admission
    this.#arena = arena
    this.#registry = registry
    this.#counters = counters
    this.#isUnix = handle.getpeername === undefined
    this.#onSecure = onSecure
    // TLS reads from the handle: the socket itself must not. Half a handshake will never be a whole one, so that only
    // what follows may be half-open.
    const options = { handle, allowHalfOpen: false, manualStart: onSecure === undefined }
    const socket: TransportSocket = new Socket(options)
    socket[TRANSPORT] = this
    socket.on('error', onError)
    socket.on('close', onClose)
    if (onSecure !== undefined) socket.on('data', onData)
    this.socket = socket
  }

  get remoteAddress(): string {
    return this.#isUnix ? UNIX : (this.socket.remoteAddress ?? '')
  }

  get remotePort(): number {
    return this.socket.remotePort ?? 0
  }

  get tls(): TlsFacts | undefined {
    return this.#facts
  }

  /** The TLS handshake is over. */
  begin(stream: TLSSocket, facts: TlsFacts): void {
    this.#stream = stream
    this.#facts = facts
    ;(stream as TransportSocket)[TRANSPORT] = this
    stream.allowHalfOpen = true
    this.#listen(stream)
    if (this.#paused) stream.pause()
  }

  writeNow(bytes: Uint8Array, start: number, end: number): number {
    if (!this.#isIdle()) return 0
    const known = this.#catchUp(end - start)
    const from = start + known
    const to = Math.min(end, from + MOST_AT_ONCE)
    return from === to ? known : known + this.#offer(Buffer.from(bytes.subarray(from, to)))
  }

  writePartsNow(parts: readonly Uint8Array[]): number {
    if (!this.#isIdle()) return 0
    let length = 0
    for (const part of parts) length += part.length
    const known = this.#catchUp(length)
    return known === length ? known : known + this.#offer(gather(parts, known, MOST_AT_ONCE))
  }

  writeLater(bytes: Uint8Array): void {
    if (this.#stream === undefined || this.#stream.destroyed) return
    this.#later = true
    // These are under way already: the write whose refusal brought us here.
    const known = this.#catchUp(bytes.length)
    if (known < bytes.length) this.#write(this.#stream, bytes.subarray(known))
  }

  pause(): void {
    this.#paused = true
    this.#stream?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#stream?.resume()
  }

  isConnected(): boolean {
    const handle = handleOf(this.socket)
    return handle !== null && isConnected(handle)
  }

  end(): void {
    if (this.#stream === undefined) this.destroy()
    else this.#stream.end()
  }

  destroy(): void {
    ;(this.#stream ?? this.socket).destroy()
  }

  detach(bytes: Buffer): Socket {
    const stream = this.#stream as TLSSocket
    this.#detached = true
    stream.off('data', onData)
    stream.off('end', onEnd)
    stream.off('error', onError)
    if (this.#rest !== undefined) stream.unshift(this.#rest)
    stream.unshift(bytes)
    return stream
  }

  /** Of the stream itself: the handle is TLS's. */
  reattach(_stream: Duplex, owner: TransportOwner): TlsTransport {
    this.owner = owner
    this.#detached = false
    this.#rest = undefined
    this.#listen(this.#stream as TLSSocket)
    this.resume()
    return this
  }

  secure(rest: Uint8Array): boolean {
    const begin = this.#onSecure
    if (begin === undefined) return true
    this.#onSecure = undefined
    const { socket } = this
    socket.off('data', onData)
    socket.pause()
    if (rest.length > 0) socket.unshift(Buffer.from(rest))
    begin()
    return true
  }

  /** @internal The stream has decrypted something, or what comes before TLS is here. */
  read(chunk: Buffer): void {
    const most = this.#arena.length
    let left = chunk
    while (left.length > 0) {
      // It was the owner's doing, in the midst of a chunk.
      if (this.#paused) {
        this.#stream?.unshift(left)
        return
      }
      const part = left.length > most ? left.subarray(0, most) : left
      left = left.subarray(part.length)
      this.#arena.set(part)
      this.#rest = left.length > 0 ? left : undefined
      this.owner.receive(part.length)
      if (this.#detached || this.socket.destroyed) return
    }
  }

  /** @internal The socket is closed. */
  closed(): void {
    const isHandshake = this.#stream === undefined && this.#onSecure === undefined
    if (isHandshake && this.socket.bytesRead > 0) {
      count(this.#counters, Counter.TLS_FAILED)
    }
    if (!this.#detached) this.owner.closed()
    this.#registry.ended(this.admission)
  }

  /**
   * Whether something can be written now. It can't as long as TLS has not said that it is done with what it was given,
   * which it does in the next turn at the earliest.
   */
  #isIdle(): boolean {
    if (this.#stream === undefined) this.socket.destroy()
    return this.#writes === 0 && this.#stream?.destroyed === false
  }

  #listen(stream: TLSSocket): void {
    stream.on('data', onData)
    stream.on('end', onEnd)
    stream.on('error', onError)
  }

  /** @returns how many of `length` bytes that are offered TLS has had already */
  #catchUp(length: number): number {
    const known = Math.min(this.#ahead, length)
    this.#ahead -= known
    return known
  }

  /** @returns how many of the bytes the kernel has taken: all, or as good as none */
  #offer(bytes: Buffer): number {
    const handle = handleOf(this.socket)
    const before = handle?.bytesWritten ?? 0
    this.#write(this.#stream as TLSSocket, bytes)
    // What TLS makes of them is longer. It may have kept them back, too, behind something of its own.
    const isTaken =
      handle !== null && handle.bytesWritten - before >= bytes.length && handle.writeQueueSize === 0
    if (isTaken) return bytes.length
    this.#ahead = bytes.length
    return 0
  }

  #write(stream: TLSSocket, bytes: Uint8Array): void {
    this.#onWritten ??= error => {
      this.#writes--
      // An error is followed by the end.
      if (error || this.#writes > 0 || !this.#later) return
      this.#later = false
      this.owner.written()
    }
    this.#writes++
    stream.write(bytes, this.#onWritten)
  }
}

/** A copy of what follows the first `skip` bytes, at most `most`. */
function gather(parts: readonly Uint8Array[], skip: number, most: number): Buffer {
  const pieces: Uint8Array[] = []
  let before = skip
  let room = most
  for (const part of parts) {
    if (room === 0) break
    const start = Math.min(before, part.length)
    before -= start
    const piece = part.subarray(start, Math.min(part.length, start + room))
    room -= piece.length
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function onData(this: Socket, chunk: Buffer): void {
  ;(this as TransportSocket)[TRANSPORT]?.read(chunk)
}

function onEnd(this: Socket): void {
  ;(this as TransportSocket)[TRANSPORT]?.owner.receiveEnd()
}

function onError(this: Socket): void {
  // 'close' follows and says all there is to say; but a fault in what TLS decrypts does not end the stream by itself.
  this.destroy()
}

function onClose(this: Socket): void {
  ;(this as TransportSocket)[TRANSPORT]?.closed()
}
