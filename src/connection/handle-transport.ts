import type { Socket } from 'node:net'
import {
  ENDED,
  isConnected,
  type Peer,
  shutdownHandle,
  type TcpHandle,
  writePartsToHandle,
  writeToHandle,
} from '../tcp-handle.js'
import { type Registry, retakeHandle, type SocketReader, SocketTransport } from './socket-transport.js'
import type { Transport, TransportOwner } from './transport.js'

const TRANSPORT = Symbol('transport')

type TransportHandle = TcpHandle & { [TRANSPORT]: HandleTransport }

/**
 * A plain socket without a `net.Socket`: the handle's reads come straight to the owner, writes go to the descriptor.
 * It saves the stream's state, which is most of what an idle connection costs, and its work. What a connection
 * seldom needs (queued writes, FIN before the peer's) is left to a `SocketTransport`, which then takes the handle
 * over.
 */
export class HandleTransport implements Transport {
  readonly admission: number
  readonly #reader: SocketReader
  readonly #registry: Registry
  readonly #handle: TcpHandle
  #owner: TransportOwner
  /** Has the handle now. */
  #successor: SocketTransport | undefined
  #peerFacts: Peer | undefined
  #bytesRead: number
  #paused = false
  #inputEnded = false
  /** Our FIN is sent. */
  #outputEnded = false
  #destroyed = false

  /**
   * Begins to read at once; `owner` is called from the next turn on.
   *
   * @param handle for which `isTcpHandle` holds
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
    this.#handle = handle
    this.#reader = reader
    this.#owner = owner
    this.admission = admission
    this.#registry = registry
    this.#bytesRead = handle.bytesRead
    ;(handle as TransportHandle)[TRANSPORT] = this
    handle.useUserBuffer(reader.buffer)
    handle.onread = onRead
    handle.readStart()
  }

  get owner(): TransportOwner {
    return this.#owner
  }

  set owner(owner: TransportOwner) {
    this.#owner = owner
    if (this.#successor !== undefined) this.#successor.owner = owner
  }

  get remoteAddress(): string {
    return this.#peer().address ?? ''
  }

  get remotePort(): number {
    return this.#peer().port ?? 0
  }

  /** None. */
  get tls(): undefined {
    return undefined
  }

  writeNow(bytes: Uint8Array, start: number, end: number): number {
    const taken = writeToHandle(this.#handle, bytes, start, end)
    return taken === ENDED ? this.#refuse() : taken
  }

  writePartsNow(parts: readonly Uint8Array[]): number {
    const taken = writePartsToHandle(this.#handle, parts)
    return taken === ENDED ? this.#refuse() : taken
  }

  writeLater(bytes: Uint8Array): void {
    if (!this.#destroyed) this.#succeed().writeLater(bytes)
  }

  pause(): void {
    this.#paused = true
    if (this.#successor !== undefined) this.#successor.pause()
    else if (!this.#destroyed) this.#handle.readStop()
  }

  resume(): void {
    this.#paused = false
    if (this.#successor !== undefined) this.#successor.resume()
    else if (!this.#destroyed && !this.#inputEnded) this.#handle.readStart()
  }

  isConnected(): boolean {
    return !this.#destroyed && isConnected(this.#handle)
  }

  end(): void {
    if (this.#destroyed) return
    if (this.#successor !== undefined) this.#successor.end()
    // The peer has sent FIN, so that ours is the end.
    else if (this.#inputEnded) this.destroy()
    else if (shutdownHandle(this.#handle)) this.#outputEnded = true
    else this.#succeed().end()
  }

  destroy(): void {
    if (this.#successor !== undefined) return this.#successor.destroy()
    if (this.#destroyed) return
    this.#destroyed = true
    this.#handle.close(onClosed)
  }

  /** It is not. */
  secure(): boolean {
    return false
  }

  detach(bytes: Buffer): Socket {
    return this.#succeed().detach(bytes)
  }

  reattach(stream: Socket, owner: TransportOwner): HandleTransport {
    return new HandleTransport(retakeHandle(stream), this.#reader, owner, this.admission, this.#registry)
  }

  /** @internal The handle has read into the arena, or has come to the end. */
  read(): void {
    const length = this.#handle.bytesRead - this.#bytesRead
    this.#bytesRead += length
    if (length > 0) return this.#owner.receive(length)
    // A reset takes the peer's address away, as two FINs do.
    const isGone = !this.isConnected()
    if (isGone && !this.#outputEnded) return this.destroy()
    // After a read that filled the arena libuv reads again and says when nothing was there: then it goes on reading,
    // so that it can't be started, as it can't after a reset. At the end of input it has stopped.
    if (this.#handle.readStart() !== 0) {
      if (isGone) this.destroy()
      return
    }
    this.#handle.readStop()
    this.#inputEnded = true
    this.#owner.receiveEnd()
    if (this.#outputEnded) this.destroy()
  }

  /** @internal The handle is closed. */
  closed(): void {
    this.#owner.closed()
    this.#registry.ended(this.admission)
  }

  #succeed(): SocketTransport {
    if (this.#successor !== undefined) return this.#successor
    // A socket starts its handle itself, and takes it ill when that reads already.
    this.#handle.readStop()
    const successor = new SocketTransport(
      this.#handle,
      this.#reader,
      this.#owner,
      this.admission,
      this.#registry,
    )
    if (this.#paused) successor.pause()
    this.#successor = successor
    return successor
  }

  #peer(): Peer {
    // Kept, since it can't be asked for when the connection has ended.
    if (this.#peerFacts !== undefined) return this.#peerFacts
    const peer: Peer = {}
    if (this.#destroyed || this.#handle.getpeername?.(peer) !== 0) return {}
    this.#peerFacts = peer
    return peer
  }

  /** Whoever wrote is told by `closed` that the connection has ended, not from within. */
  #refuse(): number {
    this.destroy()
    return 0
  }
}

function onRead(this: TcpHandle): void {
  ;(this as TransportHandle)[TRANSPORT].read()
}

function onClosed(this: TcpHandle): void {
  ;(this as TransportHandle)[TRANSPORT].closed()
}
