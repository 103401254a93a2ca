/** Steps of each power of two: a recorded value is off by at most 1/64 of itself. */
const STEPS = 64
const STEP_BITS = 6
/** The largest power of two: 2^36 us are 19 hours. */
const MOST_BITS = 36
const BUCKETS = (MOST_BITS - STEP_BITS + 1) * STEPS

/**
 * Latencies in microseconds, as counts in buckets of equal relative width. To record costs a few nanoseconds and no
 * memory; the counts of several processes add up.
 */
export class Latencies {
  readonly counts: Float64Array
  /** How many were recorded. */
  count = 0
  #sum = 0
  #min = Infinity
  #max = 0

  constructor() {
    this.counts = new Float64Array(BUCKETS)
  }

  /** @param us 0 or more */
  record(us: number): void {
    this.count++
    this.#sum += us
    if (us < this.#min) this.#min = us
    if (us > this.#max) this.#max = us
    const index = bucketOf(us)
    this.counts[index] = this.counts[index] + 1
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count
  }

  get min(): number {
    return this.count === 0 ? 0 : this.#min
  }

  get max(): number {
    return this.#max
  }

  /** Standard deviation, from the buckets' middles. */
  get deviation(): number {
    if (this.count === 0) return 0
    const mean = this.mean
    let squares = 0
    for (let index = 0; index < BUCKETS; index++) {
      const count = this.counts[index]
      if (count > 0) squares += count * (middleOf(index) - mean) ** 2
    }
    return Math.sqrt(squares / this.count)
  }

  /** @param share 0 to 100 */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil((this.count * share) / 100))
    let seen = 0
    for (let index = 0; index < BUCKETS; index++) {
      seen += this.counts[index]
      if (seen >= wanted) return Math.min(Math.max(middleOf(index), this.min), this.#max)
    }
    return this.#max
  }

  /** What another process recorded, as `toJSON` gave it. */
  add(other: LatenciesJson): void {
    this.count += other.count
    this.#sum += other.sum
    this.#min = Math.min(this.#min, other.min ?? Infinity)
    this.#max = Math.max(this.#max, other.max)
    for (const [index, count] of other.counts) this.counts[index] = this.counts[index] + count
  }

  toJSON(): LatenciesJson {
    const counts: [number, number][] = []
    for (let index = 0; index < BUCKETS; index++) {
      if (this.counts[index] !== 0) counts.push([index, this.counts[index]])
    }
    const min = this.count === 0 ? null : this.#min
    return { count: this.count, sum: this.#sum, min, max: this.#max, counts }
  }
}

export interface LatenciesJson {
  count: number
  sum: number
  /** null when there are none. */
  min: number | null
  max: number
  /** Bucket and count, of buckets that are not empty. */
  counts: [number, number][]
}

/** Whole microseconds up to 64, then 64 steps for each power of two. */
function bucketOf(us: number): number {
  const whole = us < 2 ** MOST_BITS ? Math.floor(us) : 2 ** MOST_BITS - 1
  if (whole < STEPS) return whole
  const exponent = whole < 2 ** 31 ? 31 - Math.clz32(whole) : Math.floor(Math.log2(whole))
  const step = Math.floor(whole / 2 ** (exponent - STEP_BITS)) - STEPS
  return (exponent - STEP_BITS + 1) * STEPS + step
}

function middleOf(index: number): number {
  if (index < STEPS) return index
  const exponent = Math.floor(index / STEPS) - 1 + STEP_BITS
  const width = 2 ** (exponent - STEP_BITS)
  return 2 ** exponent + (index % STEPS) * width + width / 2
}
