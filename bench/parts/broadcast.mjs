// One message to many clients of one shard.
import { compare, withServer } from '../comparison.mjs'
import { processors } from '../processors.mjs'
import { runWorker } from '../worker.mjs'

const COLUMNS = [
  { key: 'cpuUs', title: 'CPU us per delivery', digits: 2 },
  { key: 'perSecond', title: 'deliveries/s', digits: 0 },
  { key: 'p50Us', title: 'p50 us to the last', digits: 0 },
  { key: 'p99Us', title: 'p99 us to the last', digits: 0 },
]

const SIZE = 100

const ROWS = [100, 1000].map(connections => ({
  id: `to-${connections}`,
  title: `${SIZE} B to ${connections} clients`,
  connections,
}))

export function run(context) {
  const part = {
    part: 'broadcast',
    title: 'Broadcast, one shard',
    columns: COLUMNS,
    peers: ['raw', 'shardws', 'ws', 'bun', 'deno'],
    rows: ROWS,
    notes: [
      'The next message is sent when the last client has the one before. Bun uses its publish, the others a loop over the clients.',
    ],
  }
  return compare(context, part, ({ connections }, contestant) =>
    withServer(contestant, { mode: 'broadcast' }, processors.server, ({ port, pids }) => {
      const { mirrored } = contestant
      const task = { port, pids, connections, size: SIZE, mirrored, seconds: context.seconds, warmup: 0.5 }
      return runWorker('broadcast', task, processors.load)
    }),
  )
}
