const BUCKETS = 512

/**
 * Something with a deadline. The links are the wheel's.
 */
export abstract class Timed {
  /** @internal */
  timedNext: Timed | undefined
  /** @internal */
  timedPrevious: Timed | undefined
  /** The tick at which `expire` is called. */
  deadline = 0

  /** The deadline has come; the entry is in the wheel no more. */
  abstract expire(): void
}

/** The end of a bucket's ring. */
class Bucket extends Timed {
  override timedNext: Timed = this
  override timedPrevious: Timed = this

  expire(): void {
    // A bucket is in no wheel.
  }

  push(entry: Timed): void {
    const last = this.timedPrevious
    entry.timedPrevious = last
    entry.timedNext = this
    last.timedNext = entry
    this.timedPrevious = entry
  }

  /** Takes all entries of `other`, which must not be empty. */
  takeAll(other: Bucket): void {
    const first = other.timedNext
    const last = other.timedPrevious
    this.timedNext = first
    this.timedPrevious = last
    first.timedPrevious = this
    last.timedNext = this
    other.timedNext = other.timedPrevious = other
  }
}

/**
 * The deadlines of all connections of a shard, with one timer: a wheel of buckets, one a tick, each a ring of
 * entries. To set, move and drop a deadline costs a few stores. A deadline beyond the wheel's last bucket waits there
 * and is put off when its bucket comes.
 */
export class Deadlines {
  /** Ticks since the shard began: the clock of everything that needs no better one. */
  now = 0
  readonly tickMs: number
  readonly #clock: () => number
  readonly #startMs: number
  readonly #buckets: readonly Bucket[] = Array.from({ length: BUCKETS }, () => new Bucket())
  /** The bucket whose time has come. */
  readonly #due = new Bucket()
  #entries = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * @param tickMs milliseconds of a tick: what a deadline may be late
   * @param clock milliseconds that only go forward
   */
  constructor(tickMs: number, clock: () => number = () => performance.now()) {
    this.tickMs = tickMs
    this.#clock = clock
    this.#startMs = clock()
  }

  /** Milliseconds since the shard began, by the clock, where ticks are too coarse. */
  get elapsedMs(): number {
    return this.#clock() - this.#startMs
  }

  /** Sets the deadline of `entry` to `ms` milliseconds from now; an earlier one is forgotten. */
  set(entry: Timed, ms: number): void {
    this.drop(entry)
    // Not `now`, which is behind while the thread is busy: a deadline is never early.
    const ticks = this.#ticks()
    // `now` stands while there are no entries.
    if (this.#entries === 0) this.now = ticks
    // One more, since part of the present tick is over.
    entry.deadline = ticks + Math.ceil(ms / this.tickMs) + 1
    this.#insert(entry)
    this.#entries++
    this.#timer ??= setInterval(advance, this.tickMs, this).unref()
  }

  /** Forgets the deadline of `entry`, if it has one. */
  drop(entry: Timed): void {
    const { timedNext: next, timedPrevious: previous } = entry
    if (next === undefined || previous === undefined) return
    previous.timedNext = next
    next.timedPrevious = previous
    entry.timedNext = entry.timedPrevious = undefined
    this.#entries--
  }

  /** Lets time pass up to the clock's time. */
  advance(): void {
    const target = this.#ticks()
    // After a long stall one round passes every bucket.
    let tick = Math.max(this.now, target - BUCKETS)
    // What expires may set a deadline, which counts from the true present: nothing expires twice for one stall.
    this.now = target
    while (tick < target) {
      tick++
      this.#expire(this.#buckets[tick % BUCKETS])
    }
    if (this.#entries === 0) this.stop()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #ticks(): number {
    return Math.floor((this.#clock() - this.#startMs) / this.tickMs)
  }

  #insert(entry: Timed): void {
    const tick = Math.min(entry.deadline, this.now + BUCKETS - 1)
    this.#buckets[tick % BUCKETS].push(entry)
  }

  #expire(bucket: Bucket): void {
    if (bucket.timedNext === bucket) return
    // What is put off, or set by an expiry, may go to this very bucket: what is due is taken out of it first.
    const due = this.#due
    due.takeAll(bucket)
    for (let entry = due.timedNext; entry !== due; entry = due.timedNext) {
      this.drop(entry)
      if (entry.deadline <= this.now) {
        entry.expire()
      } else {
        this.#insert(entry)
        this.#entries++
      }
    }
  }
}

function advance(deadlines: Deadlines): void {
  deadlines.advance()
}
