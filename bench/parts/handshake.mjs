// What a connection costs that is opened and closed again.
import { compare, withServer } from '../comparison.mjs'
import { processors } from '../processors.mjs'
import { runWorker } from '../worker.mjs'

const COLUMNS = [
  { key: 'cpuUs', title: 'CPU us per connection', digits: 1 },
  { key: 'perSecond', title: 'connections/s', digits: 0 },
  { key: 'p50Us', title: 'p50 us', digits: 0 },
  { key: 'p99Us', title: 'p99 us', digits: 0 },
]

const ROWS = [
  { id: 'tcp', title: 'accept, handshake, TCP closed by the client', closing: false },
  {
    id: 'closing',
    title: 'accept, handshake, closing handshake',
    closing: true,
    // The bound decodes nothing, a Close frame neither.
    contestants: all => all.filter(({ name }) => name !== 'raw'),
  },
]

export function run(context) {
  const part = {
    part: 'handshake',
    title: 'Connections opened and closed',
    columns: COLUMNS,
    peers: ['raw', 'shardws', 'ws', 'bun', 'deno'],
    rows: ROWS,
    notes: ['Opening a connection costs the load generator more than a server, so none is saturated here.'],
  }
  return compare(context, part, ({ closing }, contestant) =>
    withServer(contestant, {}, processors.server, ({ port, pids }) => {
      const task = { port, pids, closing, connections: 50, seconds: context.seconds, warmup: 1 }
      return runWorker('handshake', task, processors.load)
    }),
  )
}
