import type { ShardStats, Traffic } from './shard-slot.js'

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
