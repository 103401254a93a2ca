/**
 * What a shard inflates in one turn of its event loop before it looks at its sockets again: bytes, of messages as they
 * come and as they are, together. A MiB of them takes 1 to 4 ms.
 */
const MOST = 2 ** 20
/** What each connection may have all the same, however busy others keep the shard. */
export const SHARE = 64 * 1024

/** Somebody whose next message waits until the shard has time for it. */
export interface Waiting {
  inflateNow(): void
}

/**
 * Whose messages are inflated when. A message takes a thousandth of what it inflates to on the wire, so a client can
 * ask for seconds of work with what fits into one read. When a shard has inflated enough in a turn of the event loop,
 * messages that inflate to more than `SHARE` wait, one for each connection, which is not read from meanwhile; in the
 * next turns they get their time one after the other. Who sends messages of ordinary size never waits.
 */
export class InflateTurns {
  /** Of the present turn. */
  number = 0
  #spent = 0
  #scheduled = false
  /** In the order they came. */
  readonly #waiting = new Set<Waiting>()

  /** The shard has inflated enough in this turn. */
  get isOver(): boolean {
    return this.#spent >= MOST
  }

  /** `cost` bytes of work were done. */
  spend(cost: number): void {
    this.#spent += cost
    this.#schedule()
  }

  /** Calls `waiting.inflateNow` in a later turn. */
  wait(waiting: Waiting): void {
    this.#waiting.add(waiting)
    this.#schedule()
  }

  /** It has ended. */
  drop(waiting: Waiting): void {
    this.#waiting.delete(waiting)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(nextTurn, this)
  }

  /** @internal Another turn begins. */
  next(): void {
    this.#scheduled = false
    this.#spent = 0
    this.number++
    // Who waits again comes behind the others.
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting)
      waiting.inflateNow()
      if (this.isOver) break
    }
    if (this.#waiting.size > 0) this.#schedule()
  }
}

function nextTurn(turns: InflateTurns): void {
  turns.next()
}
