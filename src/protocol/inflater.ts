import type { PeerError } from '../errors.js'

/** What undoes the peer's compression, one message at a time (RFC 7692 7.2.2). */
export interface Inflater {
  /**
   * Inflates a message and looks at its size, and, if it is text, at its UTF-8.
   *
   * @param source memory that has the compressed message from `start` to `end`
   * @returns what is wrong with it; undefined when `message`, or `start` and `end`, say where its bytes are, and when
   *   it `isPostponed`
   */
  inflate(source: Buffer, start: number, end: number, isText: boolean): PeerError | undefined
  /** There is no time for the message now, and nothing was done: it is to be given again, and none before it. */
  readonly isPostponed: boolean
  /** The bytes, where they are nobody else's; undefined where they are in the codec's memory. */
  readonly message: Buffer | undefined
  /** Where the bytes are in the codec's memory, until the next call. */
  readonly start: number
  readonly end: number
}
