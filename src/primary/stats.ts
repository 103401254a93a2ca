import type { Denial } from './admission.js'
import type { ShardStats, Traffic } from './shard-slot.js'

/** Connections that were accepted and closed at once, by reason. */
export interface RefusedStats extends Record<Denial, number> {
  /** As many opening handshakes were in progress. */
  maxHandshakes: number
  /** The client had opened connections too fast. */
  maxHandshakeRatePerIp: number
  /** No shard was ready, or all were full. */
  noShard: number
  /** The client was gone already, or the process had no descriptor left to hand it over with. */
  handoff: number
}

export interface ServerStats {
  /** Connections accepted, the refused ones included. */
  accepted: number
  refused: RefusedStats
  /** Connections that the system could not give to the process. */
  acceptErrors: number
  /** Connections that count for `maxConnections` now. */
  admitted: number
  /** Reloads whose shards took over. */
  reloads: number
  /** What is left of the shards before them; counted in `total` and `shards`, too. */
  draining: DrainingStats
  total: Traffic
  shards: ShardStats[]
}

export interface DrainingStats {
  /** Shards that take no more connections. */
  shards: number
  /** Sockets that they have. */
  sockets: number
}

const TRAFFIC: readonly (keyof Traffic)[] = [
  'sockets',
  'handshakes',
  'socketsTotal',
  'connections',
  'connectionsTotal',
  'handshakesRefused',
  'httpRequestsRefused',
  'httpClientsRefused',
  'httpSpentClosed',
  'httpIdleClosed',
  'earlyFramesHeld',
  'tlsHandshakesFailed',
  'messagesIn',
  'messagesOut',
  'bytesIn',
  'bytesOut',
  'pinnedBytes',
  'memoryRefused',
  'rateLimited',
  'messagesDropped',
  'pongsSkipped',
]

/** The sums of what shards count. */
export function sumTraffic(shards: readonly Traffic[]): Traffic {
  return Object.fromEntries(
    TRAFFIC.map(name => [name, sum(shards.map(shard => shard[name]))]),
  ) as unknown as Traffic
}

/**
 * What there is to say of one index.
 *
 * @param current the shard that takes its connections
 * @param all that one, and those of other generations, before and after it
 */
export function combineStats(current: ShardStats, all: readonly ShardStats[]): ShardStats {
  return {
    ...current,
    ...sumTraffic(all),
    restarts: sum(all.map(shard => shard.restarts)),
    inFlight: sum(all.map(shard => shard.inFlight)),
    eventLoopDelayMs: Math.max(...all.map(shard => shard.eventLoopDelayMs)),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
