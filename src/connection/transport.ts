import type { Duplex } from 'node:stream'
import type { TlsFacts } from '../app.js'

/**
 * What a connection needs of whatever carries its bytes. Plain sockets, TLS streams and in-memory pairs for tests
 * implement it.
 *
 * Bytes that arrive are put into the codec's read arena first; `receive` is told how many there are. No method calls
 * the owner from within: what a call brings about is told in a callback of its own, later.
 */
export interface Transport {
  /** Who is told what happens; changes hands once, from the opening handshake to the connection. */
  owner: TransportOwner
  /** The number under which the primary counts the connection. */
  readonly admission: number
  readonly remoteAddress: string
  readonly remotePort: number
  /** Known from the first `receive` on; undefined without TLS. */
  readonly tls: TlsFacts | undefined
  /**
   * Writes what the kernel takes at once. Never throws, keeps no reference to the bytes.
   *
   * @returns how many bytes were taken: 0 when none, or when the transport has ended
   */
  writeNow(bytes: Uint8Array, start: number, end: number): number
  /** As `writeNow`, for a list of parts in one gathered write. */
  writePartsNow(parts: readonly Uint8Array[]): number
  /**
   * Hands `bytes` over, to be written as the peer takes them; `owner.written()` follows when all are. Only one may be
   * under way. The bytes must not change before.
   */
  writeLater(bytes: Uint8Array): void
  /** Stops reading: `receive` is not called before `resume`. */
  pause(): void
  resume(): void
  /** Whether the kernel still knows a peer: false after a reset, also one that was not read yet. */
  isConnected(): boolean
  /** Sends FIN after what is being written; reading goes on. */
  end(): void
  /**
   * What is not encrypted is read, a PROXY header; `rest` has come with it.
   *
   * @returns whether the rest is the transport's, which begins with TLS; else it is the owner's
   */
  secure(rest: Uint8Array): boolean
  /**
   * Gives the connection up to an ordinary stream, from which `bytes` are read first; no method of the transport may
   * be called after but `reattach`.
   */
  detach(bytes: Buffer): Duplex
  /**
   * Takes the connection back from the stream that `detach` gave: with nothing left to write, and everything read that
   * it holds. The stream is an empty shell then.
   */
  reattach(stream: Duplex, owner: TransportOwner): Transport
  /** Releases everything at once. `owner.closed()` follows, unless it was called before. */
  destroy(): void
}

export interface TransportOwner {
  /** `length` bytes are at the beginning of the codec's read arena; they are overwritten after the call. */
  receive(length: number): void
  /** The peer's FIN: nothing more comes from it. */
  receiveEnd(): void
  /** What `writeLater` was given is written. */
  written(): void
  /** The transport has ended; nothing follows. Called exactly once. */
  closed(): void
}
