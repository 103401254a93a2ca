import type { ClientCounts } from '../client-counts.js'

/** The limit that keeps a connection out. */
export type Denial = 'maxConnections' | 'maxConnectionsPerIp'

const NOBODY = -1

/** A client, and how many connections it has. One for all of these, so that none keeps an address of its own. */
interface Holder {
  readonly key: string
  connections: number
}

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
  /** By number: its client; undefined where it counts for none. Empty when there is no limit by client. */
  readonly #clientOf: (Holder | undefined)[] = []
  readonly #perKey = new Map<string, Holder>()

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
    if (key !== '' && this.#maxPerKey > 0 && (this.#perKey.get(key)?.connections ?? 0) >= this.#maxPerKey) {
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
    if (this.#maxPerKey > 0) this.#clientOf[number] = key === '' ? undefined : this.#hold(key)
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
    const client = this.#clientOf[number]
    if (client === undefined) return true
    client.connections--
    if (client.connections === 0) this.#perKey.delete(client.key)
    this.#clientOf[number] = undefined
    return true
  }

  /** The shard is gone, and with it all it held. */
  releaseAll(shard: number): void {
    for (let number = 0; number < this.#holder.length; number++) this.release(number, shard)
  }

  #hold(key: string): Holder {
    let client = this.#perKey.get(key)
    if (client === undefined) {
      client = { key, connections: 0 }
      this.#perKey.set(key, client)
    }
    client.connections++
    return client
  }
}
