import type { ClientCounts } from '../client-counts.js'

/** The limit that keeps a connection out. */
export type Denial = 'maxConnections' | 'maxConnectionsPerIp'

const NOBODY = -1

/**
 * Who is there: gives each connection a number for as long as it lives, and says no at the limits. Numbers are given
 * again, so that they stay below `maxConnections`.
 */
export class Admission {
  readonly #maxConnections: number
  readonly #maxPerKey: number
  readonly #clients: ClientCounts | undefined
  /** Numbers given back. */
  readonly #free: number[] = []
  /** By number: the shard that holds it (the place of its slot), or NOBODY. */
  readonly #holder: number[] = []
  /** By number: its client's key. Empty when there is no limit by client. */
  readonly #keys: string[] = []
  readonly #perKey = new Map<string, number>()

  /**
   * @param maxPerKey 0 for no limit; the empty key never has one
   * @param clients where shards count clients that the primary does not see
   */
  constructor(maxConnections: number, maxPerKey: number, clients?: ClientCounts) {
    this.#clients = clients
    this.#maxConnections = maxConnections
    this.#maxPerKey = maxPerKey
  }

  /** Connections that are there. */
  get held(): number {
    return this.#holder.length - this.#free.length
  }

  /** @returns why a client may not have one more connection, undefined if it may */
  denial(key: string): Denial | undefined {
    if (this.held >= this.#maxConnections) return 'maxConnections'
    if (key !== '' && this.#maxPerKey > 0 && (this.#perKey.get(key) ?? 0) >= this.#maxPerKey) {
      return 'maxConnectionsPerIp'
    }
    return undefined
  }

  /**
   * Counts a connection that goes to a shard; `denial` must have been asked.
   *
   * @returns its number
   */
  admit(key: string, shard: number): number {
    const number = this.#free.pop() ?? this.#holder.length
    this.#holder[number] = shard
    if (this.#maxPerKey > 0) {
      this.#keys[number] = key
      this.#perKey.set(key, (this.#perKey.get(key) ?? 0) + 1)
    }
    return number
  }

  /**
   * The connection has ended.
   *
   * @returns whether `shard` did hold the number; nothing happens if not
   */
  release(number: number, shard: number): boolean {
    if (this.#holder[number] !== shard) return false
    this.#holder[number] = NOBODY
    this.#free.push(number)
    this.#clients?.give(number)
    if (this.#maxPerKey > 0) {
      const key = this.#keys[number]
      const count = (this.#perKey.get(key) as number) - 1
      if (count === 0) this.#perKey.delete(key)
      else this.#perKey.set(key, count)
      this.#keys[number] = ''
    }
    return true
  }

  /** The shard is gone, and with it all it held. */
  releaseAll(shard: number): void {
    for (let number = 0; number < this.#holder.length; number++) this.release(number, shard)
  }
}
