import { type Duplex, PassThrough } from 'node:stream'
import type { TlsFacts } from '../../src/app.js'
import type { Codec } from '../../src/codec/codec.js'
import type { Transport, TransportOwner } from '../../src/connection/transport.js'

/** One call that wrote. */
export interface WriteCall {
  how: 'now' | 'parts' | 'later'
  /** How many parts it had. */
  parts: number
  offered: number
  /** How much of it the kernel took at once. */
  taken: number
}

/** What the arena is filled with after a read: whoever kept a view of it will see this. */
const SCRIBBLE = 0xee

/**
 * A transport without a socket: the kernel takes what `capacity` says, and all is recorded. What a socket would tell
 * later, in a callback of its own, comes when the test asks for it.
 */
export class MemoryTransport implements Transport {
  owner: TransportOwner
  remoteAddress = '192.0.2.1'
  remotePort = 4242
  tls: TlsFacts | undefined
  admission = 0
  /** Bytes that the kernel still takes. */
  capacity = Number.POSITIVE_INFINITY
  /** Every call that wrote something or tried to. */
  readonly calls: WriteCall[] = []
  /** FIN was sent. */
  isEnded = false
  isDestroyed = false
  isPaused = false
  /** A reset that nobody has read makes it false. */
  isConnectedToPeer = true
  /** `owner.closed` was called. */
  isClosed = false
  /** Set by `detach`. */
  detached: PassThrough | undefined
  /** Set by `reattach`. */
  reattached: MemoryTransport | undefined
  readonly #codec: Codec
  readonly #sent: Buffer[] = []
  readonly #arrived: Buffer[] = []
  #later: Uint8Array | undefined
  #laterTaken = 0
  #peerEnds = false
  #peerEnded = false
  #busy = false

  constructor(codec: Codec, owner: TransportOwner) {
    this.#codec = codec
    this.owner = owner
  }

  // What a connection calls.

  writeNow(bytes: Uint8Array, start: number, end: number): number {
    return this.#write('now', [bytes.subarray(start, end)])
  }

  writePartsNow(parts: readonly Uint8Array[]): number {
    return this.#write('parts', parts)
  }

  writeLater(bytes: Uint8Array): void {
    if (this.#later !== undefined) throw new Error('writeLater was called while another one was under way')
    if (this.isEnded) throw new Error('bytes were written after FIN')
    this.calls.push({ how: 'later', parts: 1, offered: bytes.length, taken: 0 })
    if (this.isDestroyed) return
    this.#later = bytes
    this.#laterTaken = 0
  }

  isConnected(): boolean {
    return this.isConnectedToPeer && !this.isDestroyed
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    if (this.isEnded) throw new Error('end was called twice')
    if (this.#later !== undefined) throw new Error('FIN was asked for while bytes were under way')
    this.isEnded = true
  }

  secure(): boolean {
    return false
  }

  detach(bytes: Buffer): PassThrough {
    this.detached = new PassThrough()
    this.detached.write(bytes)
    return this.detached
  }

  reattach(_stream: Duplex, owner: TransportOwner): MemoryTransport {
    this.reattached = new MemoryTransport(this.#codec, owner)
    return this.reattached
  }

  destroy(): void {
    this.isDestroyed = true
  }

  // What the peer and the kernel do.

  /** Everything that the kernel took. */
  get sent(): Buffer {
    return Buffer.concat(this.#sent)
  }

  /** Bytes taken of a write that is not over: the connection is told when all of them are. */
  get underWay(): number {
    return this.#later === undefined ? 0 : this.#laterTaken
  }

  /** What the kernel took since this was asked last. */
  takeSent(): Buffer {
    const sent = this.sent
    this.#sent.length = 0
    return sent
  }

  /** The peer sends; `sizes` are those of the reads, the last one is repeated. All in one read by default. */
  feed(bytes: Uint8Array, ...sizes: number[]): void {
    let at = 0
    for (let i = 0; at < bytes.length; i++) {
      const size = Math.min(
        sizes[Math.min(i, sizes.length - 1)] ?? bytes.length,
        this.#codec.readArena.length,
      )
      this.#arrived.push(Buffer.from(bytes.subarray(at, at + size)))
      at += size
    }
    this.pump()
  }

  /** The peer sends FIN. */
  feedEnd(): void {
    this.#peerEnds = true
    this.pump()
  }

  /** The peer sends RST. */
  reset(): void {
    this.isDestroyed = true
    this.pump()
  }

  /** The kernel takes `length` bytes more, from what it was given to write later first. */
  take(length = Number.POSITIVE_INFINITY): void {
    this.capacity += length
    const later = this.#later
    if (later === undefined || this.isDestroyed) return
    const taken = Math.min(this.capacity, later.length - this.#laterTaken)
    this.capacity -= taken
    this.#sent.push(Buffer.from(later.subarray(this.#laterTaken, this.#laterTaken + taken)))
    this.#laterTaken += taken
    if (this.#laterTaken < later.length) return
    this.#later = undefined
    this.#from(() => this.owner.written())
  }

  /** Tells the owner what has happened: bytes that arrived, FIN, the end. */
  pump(): void {
    if (this.#busy || this.isClosed) return
    while (!this.isPaused && !this.isDestroyed) {
      const bytes = this.#arrived.shift()
      if (bytes === undefined) break
      this.#codec.readArena.set(bytes)
      this.#from(() => this.owner.receive(bytes.length))
      this.#codec.readArena.fill(SCRIBBLE)
    }
    if (this.#peerEnds && !this.#peerEnded && !this.isPaused && !this.isDestroyed) {
      this.#peerEnded = true
      this.#from(() => this.owner.receiveEnd())
    }
    if (!this.isDestroyed && !(this.isEnded && this.#peerEnded)) return
    this.isClosed = true
    this.isDestroyed = true
    this.#from(() => this.owner.closed())
  }

  /** No call of ours happens inside another one: that is what a socket's callbacks are like. */
  #from(tell: () => void): void {
    this.#busy = true
    try {
      tell()
    } finally {
      this.#busy = false
    }
  }

  #write(how: 'now' | 'parts', parts: readonly Uint8Array[]): number {
    if (this.isEnded) throw new Error('bytes were written after FIN')
    if (this.#later !== undefined) throw new Error('bytes were written past those under way')
    const bytes = Buffer.concat(parts)
    const taken = this.isDestroyed ? 0 : Math.min(bytes.length, this.capacity)
    this.calls.push({ how, parts: parts.length, offered: bytes.length, taken })
    this.capacity -= taken
    this.#sent.push(bytes.subarray(0, taken))
    return taken
  }
}
