import { EVENT_FRAME_END, EVENT_OPCODE, EVENT_WORDS } from '../codec/events.js'
import { LimitError } from '../errors.js'
import type { Meter } from '../protocol/meter.js'
import { CloseCode, Opcode } from '../rfc6455.js'
import { type Deadlines, Timed } from './deadlines.js'
import type { Environment } from './environment.js'

/** A second: more than there can be. A number that can be reckoned with, as Infinity can't. */
const UNLIMITED = Number.MAX_SAFE_INTEGER

/** Who is told that the peer may send again. */
export interface RateLimited {
  rateRecovered(): void
}

/**
 * How fast one peer may send: a token bucket for frames and one for bytes, each of a second's worth. Every frame counts,
 * fragments and control frames as messages do, but for a Close frame. Bytes have been read when they are counted, so
 * that their bucket can be in debt, of a read at most.
 */
export class RateLimit extends Timed implements Meter {
  readonly #deadlines: Deadlines
  readonly #owner: RateLimited
  /** A second. */
  readonly #maxFrames: number
  readonly #maxBytes: number
  #frames: number
  #bytes: number
  /** When the buckets were filled last. */
  #filledMs: number

  constructor({ deadlines, options }: Environment, owner: RateLimited) {
    super()
    this.#deadlines = deadlines
    this.#owner = owner
    this.#frames = this.#maxFrames = options.maxMessagesPerSecond || UNLIMITED
    this.#bytes = this.#maxBytes = options.maxBytesPerSecond || UNLIMITED
    this.#filledMs = deadlines.elapsedMs
  }

  get isSpent(): boolean {
    return this.#bytes < 0
  }

  admit(events: Int32Array, count: number, bytes: number): number {
    this.#fill()
    this.#bytes -= bytes
    for (let i = 0; i < count; i++) {
      const word = events[i * EVENT_WORDS]
      if ((word & EVENT_FRAME_END) === 0 || (word & EVENT_OPCODE) === Opcode.CLOSE) continue
      if (this.#frames < 1) return i
      this.#frames--
    }
    return count
  }

  /** Has the owner told as soon as there is room for one more frame, and no debt. */
  wait(): void {
    this.#fill()
    const frames = Math.max(0, 1 - this.#frames) / this.#maxFrames
    const bytes = Math.max(0, -this.#bytes) / this.#maxBytes
    this.#deadlines.set(this, Math.max(frames, bytes) * 1000)
  }

  expire(): void {
    this.#owner.rateRecovered()
  }

  /** The connection has ended. */
  end(): void {
    this.#deadlines.drop(this)
  }

  #fill(): void {
    const nowMs = this.#deadlines.elapsedMs
    const seconds = (nowMs - this.#filledMs) / 1000
    this.#filledMs = nowMs
    this.#frames = Math.min(this.#maxFrames, this.#frames + seconds * this.#maxFrames)
    this.#bytes = Math.min(this.#maxBytes, this.#bytes + seconds * this.#maxBytes)
  }
}

/** Why a connection is closed whose peer sends too much, where it is not made to wait. */
export function rateError(): LimitError {
  const text = 'the peer sends more than maxMessagesPerSecond or maxBytesPerSecond'
  return new LimitError('ERR_RATE', text, CloseCode.POLICY_VIOLATION)
}
