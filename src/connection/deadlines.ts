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

  /** Sets the deadline of `entry` to `ms` milliseconds from now; an earlier one is forgotten. */
  set(entry: Timed, ms: number): void {
    this.drop(entry)
    // The clock stands while there are no entries.
    if (this.#entries === 0) this.now = this.#ticks()
    // One more, since part of the present tick is over.
    entry.deadline = this.now + Math.ceil(ms / this.tickMs) + 1
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
    if (target - this.now > BUCKETS) this.now = target - BUCKETS
    while (this.now < target) {
      this.now++
      this.#expire(this.#buckets[this.now % BUCKETS] as Bucket)
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
    const bucket = this.#buckets[tick % BUCKETS] as Bucket
    const last = bucket.timedPrevious
    entry.timedPrevious = last
    entry.timedNext = bucket
    last.timedNext = entry
    bucket.timedPrevious = entry
  }

  #expire(bucket: Bucket): void {
    // What is put off goes to another bucket, and what an expiry sets is at least one tick away: the ring runs empty.
    for (let entry = bucket.timedNext; entry !== bucket; entry = bucket.timedNext) {
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
