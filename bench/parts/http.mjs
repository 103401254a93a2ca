// Load by autocannon, as people who know it would do it: HTTP requests, refused upgrades, and WebSocket messages
// through the adapter in ../autocannon-websocket.
import { compare, withServer } from '../comparison.mjs'
import { processors } from '../processors.mjs'
import { runWorker } from '../worker.mjs'

const COLUMNS = [
  { key: 'cpuUs', title: 'CPU us per request', digits: 1 },
  { key: 'perSecond', title: 'requests/s', digits: 0 },
  { key: 'p50Us', title: 'p50 us', digits: 0 },
  { key: 'p99Us', title: 'p99 us', digits: 0 },
]

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** Paths and statuses by server. */
const ROWS = [
  {
    id: 'get',
    title: 'GET of the health check',
    requests: { shardws: { path: '/healthz', status: 200 }, http: { path: '/', status: 200 } },
  },
  {
    id: 'refused',
    title: 'upgrade of a path that there is not',
    headers: UPGRADE,
    requests: { shardws: { path: '/nowhere', status: 404 }, ws: { path: '/nowhere', status: 400 } },
  },
  {
    id: 'websocket',
    title: 'WebSocket echo, 20 B, 1 in flight',
    requests: { shardws: { path: '/ws' }, ws: { path: '/ws' } },
  },
]

export function run(context) {
  const part = {
    part: 'http',
    title: 'Load by autocannon',
    columns: COLUMNS,
    peers: ['shardws', 'ws', 'http'],
    rows: ROWS.map(({ requests, ...row }) =>
      Object.assign(row, { requests, contestants: all => all.filter(({ name }) => name in requests) }),
    ),
    notes: [
      'Autocannon takes more processor time for a request than the servers do, so none is saturated here; its latencies of HTTP are whole milliseconds.',
    ],
  }
  return compare(context, part, ({ requests, headers }, contestant) =>
    withServer(contestant, { path: '/ws' }, processors.server, ({ port, pids }) => {
      const { path, status } = requests[contestant.name]
      const url = `http://127.0.0.1:${port}${path}`
      const task = { url, headers, status, pids, connections: 50, seconds: Math.max(1, context.seconds) }
      return runWorker('autocannon', task, processors.load)
    }),
  )
}
