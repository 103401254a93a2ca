import type { RequestFacts } from './app.js'

/**
 * What became of a message that was given to `send`:
 * - `sent`: it leaves with this turn's write, nothing waits in front of it;
 * - `buffered`: it waits behind bytes that the peer has not taken yet; a `drain` will follow;
 * - `dropped`: it was not accepted: the connection is closing, or `maxBackpressure` is reached.
 */
export type SendStatus = 'sent' | 'buffered' | 'dropped'

/** One open WebSocket connection, as the application's handlers see it. */
export interface Socket<Data = undefined> {
  /** Unique in the shard for as long as the process lives: 1, 2, 3, ... */
  readonly id: number
  /**
   * The application's own: what `upgrade` returned as `data`. Where it returned none it is undefined, whatever its
   * type says, until the application assigns it, in `open` at the latest.
   */
  data: Data
  readonly request: RequestFacts
  /** The subprotocol in use; empty when there is none. */
  readonly protocol: string
  readonly readyState: 'open' | 'closing' | 'closed'
  /** Bytes, frame headers included, that were accepted and that the kernel has not taken yet. */
  readonly bufferedAmount: number
  /**
   * Sends a message: text for a string, binary for bytes. What is sent to one socket in one turn of the event loop
   * leaves in one write, save that binary messages over 16 KiB, which are not copied, leave at once together with what
   * is in front of them, and that what comes to 64 KiB does not wait for the end of the turn. The bytes are the
   * caller's again when the call returns.
   *
   * @param binary overrides the kind of a message given as bytes: `false` sends them as text (they must be UTF-8)
   * @param compress overrides the option `perMessageDeflate.threshold`: `false` sends it as it is, `true` compressed,
   *   where the client takes it and it becomes shorter
   * @throws StateError (`ERR_SEND_TYPE`) for anything but a string, an ArrayBuffer or a view of one
   */
  send(data: string | ArrayBufferLike | ArrayBufferView, binary?: boolean, compress?: boolean): SendStatus
  /**
   * Sends a Ping (RFC 6455 5.5.2). The server pings idle connections by itself.
   *
   * @throws StateError (`ERR_CONTROL_TOO_LONG`) over 125 bytes
   */
  ping(data?: string | Uint8Array): SendStatus
  /**
   * Begins the closing handshake (RFC 6455 7.1.2). What was sent before still goes out; nothing is delivered after.
   *
   * @param code default 1000: 1000-1003, 1007-1014 or 3000-4999
   * @param reason at most 123 bytes of UTF-8
   * @throws StateError (`ERR_CLOSE_CODE`, `ERR_CLOSE_REASON`) for a code or reason that must not be sent
   */
  close(code?: number, reason?: string): void
  /** Ends TCP at once, with no Close frame. */
  terminate(): void
  /** Stops delivery and reading: no message is delivered before `resume()`. */
  pause(): void
  resume(): void
}
