/** Round-trip times of texts that come back, the latest of them kept. */

/** Times that are kept. */
export const MOST_TIMES = 60
/** Milliseconds after which an answer is not waited for any more. */
export const LOST_MS = 10_000

export interface RoundTripSummary {
  readonly last: number
  readonly least: number
  /** Of an even number of times the mean of the two in the middle. */
  readonly median: number
  readonly most: number
}

export class RoundTrips {
  /** In milliseconds, the oldest first. */
  readonly times: number[] = []
  /** Texts of `begin`. */
  sent = 0
  /** Those of them that did not come back. */
  lost = 0
  #waited: { readonly answers: readonly string[]; readonly sentMs: number } | undefined
  #count = 0

  /** The next text to send; undefined while an answer is waited for. */
  begin(nowMs: number): string | undefined {
    if (this.isWaiting(nowMs)) return undefined
    const text = `shardws round trip ${++this.#count}`
    this.#waited = { answers: [text], sentMs: nowMs }
    this.sent++
    return text
  }

  /** `PING` was sent, whose answer is `PONG`, or `PING` where everything comes back. */
  pinged(nowMs: number): void {
    if (!this.isWaiting(nowMs)) this.#waited = { answers: ['PONG', 'PING'], sentMs: nowMs }
  }

  isWaiting(nowMs: number): boolean {
    if (this.#waited !== undefined && nowMs - this.#waited.sentMs > LOST_MS) {
      if (this.#isProbe) this.lost++
      this.#waited = undefined
    }
    return this.#waited !== undefined
  }

  /** @returns `probe` for the answer to a text of `begin`, `ping` for that to PING; undefined for anything else */
  receive(text: string, nowMs: number): 'probe' | 'ping' | undefined {
    if (this.#waited === undefined || !this.#waited.answers.includes(text)) return undefined
    this.times.push(nowMs - this.#waited.sentMs)
    if (this.times.length > MOST_TIMES) this.times.shift()
    const kind = this.#isProbe ? 'probe' : 'ping'
    this.#waited = undefined
    return kind
  }

  /** Whether it is the answer to a text of `begin` that is waited for, and not that to PING. */
  get #isProbe(): boolean {
    return this.#waited?.answers.length === 1
  }

  /** The connection has ended: nothing comes any more. */
  forget(): void {
    this.#waited = undefined
  }

  /** The next connection is one to somebody else: what was measured says nothing about that. */
  clear(): void {
    this.forget()
    this.times.length = 0
    this.lost = 0
    this.sent = 0
  }

  get summary(): RoundTripSummary | undefined {
    if (this.times.length === 0) return undefined
    const sorted = [...this.times].sort((one, other) => one - other)
    const middle = sorted.length >> 1
    return {
      last: this.times[this.times.length - 1],
      least: sorted[0],
      median: (sorted[middle] + sorted[(sorted.length - 1) >> 1]) / 2,
      most: sorted[sorted.length - 1],
    }
  }
}
