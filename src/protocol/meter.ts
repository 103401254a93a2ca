/** How fast a peer may send: where there is a limit, whatever it sends is measured before it is delivered. */
export interface Meter {
  /**
   * Counts the frames of a read, as far as they may be delivered now.
   *
   * @param events the codec's table
   * @param count of events in it
   * @param bytes of the read; 0 for what was held back
   * @returns how many of the events may be delivered; the others are to be given again later
   */
  admit(events: Int32Array, count: number, bytes: number): number
  /** The peer has sent more bytes than it may: nothing must be read for a while. */
  readonly isSpent: boolean
}
