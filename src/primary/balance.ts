import type { Balance } from '../options.js'

/** What is looked at in a shard when one is chosen. */
export interface Candidate {
  /** It is ready and has room. */
  readonly takes: boolean
  /** Handed to it and not ended. */
  readonly connections: number
}

/**
 * Chooses a shard for a new connection.
 *
 * @param key the client's key (`clientKey`); looked at by `client-address` only
 * @returns its index, or -1 when none takes connections
 */
export type Balancer = (shards: readonly Candidate[], key: string) => number

export function createBalancer(balance: Balance): Balancer {
  return BALANCERS[balance]()
}

const BALANCERS: Record<Balance, () => Balancer> = {
  'least-connections': leastConnections,
  'round-robin': roundRobin,
  'client-address': () => clientAddress,
}

/** Among equals the one after the last chosen, so that connections that come and go at once use all shards. */
function leastConnections(): Balancer {
  let last = -1
  return shards => {
    let best = -1
    let fewest = Infinity
    for (let step = 1; step <= shards.length; step++) {
      const index = (last + step) % shards.length
      const shard = shards[index]
      if (shard.takes && shard.connections < fewest) {
        best = index
        fewest = shard.connections
      }
    }
    if (best >= 0) last = best
    return best
  }
}

function roundRobin(): Balancer {
  let last = -1
  return shards => {
    const index = firstTaking(shards, last + 1)
    if (index >= 0) last = index
    return index
  }
}

/** While a client's shard does not take connections the next one that does stands in. */
function clientAddress(shards: readonly Candidate[], key: string): number {
  return firstTaking(shards, hash(key) % shards.length)
}

function firstTaking(shards: readonly Candidate[], start: number): number {
  for (let step = 0; step < shards.length; step++) {
    const index = (start + step) % shards.length
    if (shards[index].takes) return index
  }
  return -1
}

/** FNV-1a over the characters (they are ASCII), then mixed: neighbouring addresses differ in the last ones only. */
function hash(key: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    value = Math.imul(value ^ key.charCodeAt(index), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}
