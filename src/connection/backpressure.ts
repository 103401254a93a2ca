import { headerLength } from '../codec/encode.js'
import { LimitError } from '../errors.js'
import type { ConnectionOptions } from '../options.js'
import { CloseCode } from '../rfc6455.js'
import type { Environment } from './environment.js'
import { type MemoryBudget, SMALL_HOLDING } from './memory-budget.js'
import type { Outbox } from './outbox.js'
import type { Transport } from './transport.js'

/**
 * What a peer that reads slowly, or not at all, may cost: past `highWaterMark` bytes nothing is read from it or
 * delivered, so that it can't cause more; past `maxBackpressure` nothing more is accepted for it.
 */
export class Backpressure {
  /** `send` returned `buffered`, or `dropped` for want of room: a `drain` is due. */
  drainDue = false
  readonly #outbox: Outbox
  readonly #transport: Transport
  readonly #memory: MemoryBudget
  readonly #options: ConnectionOptions
  #stopped = false

  constructor(outbox: Outbox, transport: Transport, { memory, options }: Environment) {
    this.#outbox = outbox
    this.#transport = transport
    this.#memory = memory
    this.#options = options
  }

  /** More waits for the peer than `highWaterMark`. */
  get isHigh(): boolean {
    return this.#outbox.bufferedAmount > this.#options.highWaterMark
  }

  /**
   * Whether a frame with `length` bytes of payload may wait for the peer as well. A peer that is still read from must
   * get its answer, however large: else an echo server would close, or not answer, whoever sends messages nearly as
   * long as `maxBackpressure` and reads them a little late.
   */
  hasRoom(length: number): boolean {
    const { highWaterMark, maxBackpressure } = this.#options
    const { bufferedAmount } = this.#outbox
    if (bufferedAmount + headerLength(length) + length <= maxBackpressure) return true
    if (bufferedAmount <= highWaterMark && highWaterMark < maxBackpressure) return true
    this.drainDue = true
    return false
  }

  /** Whether the server has the memory for `length` bytes more to wait for the peer. */
  isAffordable(length: number): boolean {
    if (this.#outbox.bufferedAmount + length <= SMALL_HOLDING || this.#memory.hasRoom(length)) return true
    this.drainDue = true
    return false
  }

  stopReading(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#transport.pause()
  }

  startReading(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#transport.resume()
  }
}

/** Why a connection is closed whose peer does not take what it is sent. */
export function backpressureError(): LimitError {
  const text = 'more than maxBackpressure bytes wait for the peer'
  return new LimitError('ERR_BACKPRESSURE', text, CloseCode.POLICY_VIOLATION)
}
