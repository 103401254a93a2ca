import type { Codec } from '../codec/codec.js'
import type { Outbox } from './outbox.js'

/**
 * What the connections of a shard send in one turn of the event loop. Frames are written into the codec's write
 * arena one behind the other; in the turn's check phase every connection's bytes leave in one write. The arena is
 * then empty again, so nothing is allocated for a message that the kernel takes.
 *
 * One Immediate a turn, not one for each message or connection. It runs in the same turn, right after the sockets'
 * callbacks and their promises.
 */
export class Turn {
  /** The codec's memory; what is written at `position` and behind it belongs to nobody. */
  readonly memory: Buffer
  readonly #start: number
  readonly #end: number
  readonly #outboxes: Outbox[] = []
  #position: number
  /** Where the arena ends; 0 while it is being written, so that nothing fits. */
  #limit: number
  #scheduled = false

  constructor(codec: Codec) {
    this.memory = codec.memory
    this.#start = codec.writeOffset
    this.#end = codec.writeOffset + codec.writeCapacity
    this.#position = this.#start
    this.#limit = this.#end
  }

  /** Where the next free byte of the arena is. */
  get position(): number {
    return this.#position
  }

  /** The longest stretch that `reserve` may be asked for, in bytes. */
  get capacity(): number {
    return this.#end - this.#start
  }

  /** Whether `length` bytes fit at `position` as it is. */
  hasRoom(length: number): boolean {
    return this.#position + length <= this.#limit
  }

  /**
   * Makes room for `length` bytes, at most `capacity`, at `position`. When the arena is full, everything in it is
   * written first.
   *
   * @returns false while the arena is being written: then it has no room for anybody
   */
  reserve(length: number): boolean {
    if (this.#limit === 0) return false
    if (!this.hasRoom(length)) this.flush()
    return true
  }

  /** The `length` bytes at `position` are in use now. */
  advance(length: number): void {
    this.#position += length
  }

  /** What lies between `start` and `position` is written already. */
  retreat(start: number): void {
    if (this.#limit > 0) this.#position = start
  }

  /** `outbox` has something to write in this turn; it says so once a turn. */
  add(outbox: Outbox): void {
    this.#outboxes.push(outbox)
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(flushTurn, this)
    }
  }

  /** Writes everything. */
  flush(): void {
    if (this.#limit === 0) return
    this.#limit = 0
    // The list may grow meanwhile.
    for (let i = 0; i < this.#outboxes.length; i++) this.#outboxes[i].flush()
    this.#outboxes.length = 0
    this.#position = this.#start
    this.#limit = this.#end
  }

  /** @internal the scheduled flush has come */
  due(): void {
    this.#scheduled = false
    this.flush()
  }
}

function flushTurn(turn: Turn): void {
  turn.due()
}
