// The epoll transport against the ordinary one, with the parts of ../: `node bench/transport/measure.mjs --help`.
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { machine } from '../machine.mjs'
import { ROWS as ECHO_ROWS } from '../parts/echo.mjs'
import { nodesOf, PEERS } from '../peers.mjs'
import { processors } from '../processors.mjs'
import { interleave } from '../rounds.mjs'
import { Server } from '../server.mjs'
import { terminalText } from '../table.mjs'
import { runWorker, Worker } from '../worker.mjs'

const HELP = `Usage: node bench/transport/measure.mjs [row ...] [flags]

Rows: ${ECHO_ROWS.map(({ id }) => id).join(', ')}, accept, memory, idle, quiet, fairness; by default all.

  --ways <a,b>       transports: socket, transfer, epoll, thread, spin (the last two: other ways to be woken),
                     and for comparison raw, bun (default socket,epoll,raw,bun)
  --node <a,b>       versions of Node or paths of executables
  --rounds <n>       (default 5)
  --seconds <n>      of each measurement (default 1)
  --connections <n>  of memory (default 8000)
`

const epoll = wake => ({
  SHARDWS_TRANSPORT: 'epoll',
  SHARDWS_EPOLL_WAKE: wake,
  SHARDWS_HANDOFF: 'descriptor',
})

/** Environments of shardws. */
const WAYS = {
  socket: { SHARDWS_TRANSPORT: '', SHARDWS_HANDOFF: 'descriptor' },
  transfer: { SHARDWS_TRANSPORT: '', SHARDWS_HANDOFF: 'transfer' },
  epoll: epoll('datagram'),
  thread: epoll('thread'),
  spin: epoll('spin'),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ways: { type: 'string', default: 'socket,epoll,raw,bun' },
    node: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '8000' },
    help: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const connections = Number(values.connections)
const rounds = Number(values.rounds)

function contestants(node) {
  return values.ways.split(',').map(way => {
    const peer = PEERS[way] ?? PEERS.shardws
    return {
      name: way,
      label: peer.runsOnNode ? `${way} (Node ${node.version.split('.')[0]})` : way,
      mirrored: peer.mirrored === true,
      command: peer.command(node.path),
      env: WAYS[way] ?? {},
      task: {},
    }
  })
}

async function withServer(contestant, task, use) {
  const server = await Server.start(contestant, task, processors.server)
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}

function load({ port, pids }, { mirrored }, options) {
  const url = `ws://127.0.0.1:${port}/`
  return runWorker(
    'echo',
    { url, pids, duration: seconds, warmup: 0.5, mirrored, ...options },
    processors.load,
  )
}

/** @type {{ id: string, title: string, columns: object[], measure: (contestant: object) => Promise<object> }[]} */
const rows = ECHO_ROWS.map(row => ({
  id: row.id,
  title: row.title,
  columns: [
    { key: 'cpuUs', title: 'CPU us per message', digits: 2 },
    { key: 'perSecond', title: 'messages/s', digits: 0 },
    { key: 'p50Us', title: 'p50 us', digits: 0 },
    { key: 'p99Us', title: 'p99 us', digits: 0 },
  ],
  measure: contestant => withServer(contestant, row.task, server => load(server, contestant, row.load)),
}))

rows.push(
  {
    id: 'accept',
    title: 'accept, handshake, closing handshake',
    columns: [
      { key: 'cpuUs', title: 'CPU us per connection', digits: 1 },
      { key: 'perSecond', title: 'connections/s', digits: 0 },
    ],
    measure: contestant =>
      withServer(contestant, {}, ({ port, pids }) => {
        const task = { port, pids, closing: contestant.name !== 'raw', connections: 50, seconds, warmup: 1 }
        return runWorker('handshake', task, processors.load)
      }),
  },
  {
    id: 'memory',
    title: `user memory of ${connections} idle connections`,
    columns: [{ key: 'bytes', title: 'bytes per connection', digits: 0 }],
    measure: contestant =>
      withServer(contestant, {}, async server => {
        const worker = new Worker('idle', { port: server.port, connections, warmup: 100 })
        try {
          await worker.next()
          await delay(1000)
          const empty = server.memory
          worker.tell('go')
          await worker.next()
          await delay(1000)
          return { bytes: (server.memory - empty) / connections }
        } finally {
          worker.end()
        }
      }),
  },
  {
    id: 'idle',
    title: 'one connection, a 20-byte message every 100 ms',
    columns: [
      { key: 'p50Us', title: 'p50 us', digits: 0 },
      { key: 'p99Us', title: 'p99 us', digits: 0 },
    ],
    measure: contestant =>
      withServer(contestant, {}, ({ port }) =>
        runWorker('../transport/idle-latency', { port, intervalMs: 100, messages: 50 }, processors.load),
      ),
  },
  {
    id: 'quiet',
    title: 'ten connections that say nothing, 5 s',
    columns: [{ key: 'cpuMs', title: 'CPU ms per second', digits: 2 }],
    measure: contestant =>
      withServer(contestant, {}, async server => {
        const worker = new Worker('idle', { port: server.port, connections: 10, warmup: 1 })
        try {
          await worker.next()
          worker.tell('go')
          await worker.next()
          await delay(1000)
          const before = server.processorTime
          await delay(5000)
          return { cpuMs: (server.processorTime - before) / 5000 }
        } finally {
          worker.end()
        }
      }),
  },
  {
    id: 'fairness',
    title: 'the application’s own timer (10 ms) and file reads in a saturated shard, 20 B, 16 in flight',
    columns: [
      { key: 'lateP50Us', title: 'timer late p50 us', digits: 0 },
      { key: 'lateP99Us', title: 'p99', digits: 0 },
      { key: 'readP50Us', title: 'read p50 us', digits: 0 },
      { key: 'readP99Us', title: 'p99', digits: 0 },
    ],
    only: contestant => contestant.name in WAYS,
    measure: contestant =>
      withServer(contestant, { mode: '../../transport/fairness-app' }, async server => {
        const facts = async () => (await fetch(`http://127.0.0.1:${server.port}/`)).json()
        await facts()
        await load(server, contestant, { size: 20, pipelining: 16, connections: 50 })
        return facts()
      }),
  },
)

async function measureAll(node) {
  const all = contestants(node)
  for (const { id, title, columns, only, measure } of rows) {
    if (positionals.length > 0 && !positionals.includes(id)) continue
    const list = only === undefined ? all : all.filter(only)
    const entries = await interleave(rounds, list, measure)
    const servers = entries.map(({ contestant, metrics, fault }) => {
      const loadBound = metrics?.serverShare !== undefined && metrics.serverShare.median < 0.85
      return { label: contestant.label, metrics, fault, loadBound }
    })
    const part = { title: `Node ${node.version}`, columns, notes: [], rows: [{ id, title, servers }] }
    process.stdout.write(terminalText(part))
  }
}

if (values.help) process.stdout.write(HELP)
else {
  const nodes = nodesOf(values.node)
  for (const node of nodes) await measureAll(node)
  const { lines } = machine({ rounds, seconds, nodes }, new Map())
  process.stdout.write(`${new Date().toISOString()}\n${lines.join('\n')}\n`)
}
