// What a connection that is open and does nothing takes of the server's memory.
import { setTimeout as delay } from 'node:timers/promises'
import { compare, withServer } from '../comparison.mjs'
import { openFilesLimit } from '../usage.mjs'
import { Worker } from '../worker.mjs'

/** Descriptors that a process needs besides those of the connections. */
const OTHER_FILES = 500
const WARMUP_CONNECTIONS = 100
/** Milliseconds after which a server is done with what came last. */
const SETTLE_MS = 1000

const COLUMNS = [
  { key: 'bytes', title: 'bytes per connection', digits: 0 },
  { key: 'emptyMiB', title: 'empty server MiB', digits: 1 },
]

export function run(context) {
  const connections = Math.min(context.connections, openFilesLimit() - OTHER_FILES)
  const fewer = connections < context.connections ? ' (as many as the limit on open files allows)' : ''
  const part = {
    part: 'memory',
    title: 'Memory of idle connections',
    columns: COLUMNS,
    peers: ['raw', 'shardws', 'ws', 'bun', 'deno'],
    rows: [{ id: 'idle', title: `${connections.toLocaleString('en-US')} connections${fewer}` }],
    notes: [
      `User memory (PSS of the process) over that of the server when ${WARMUP_CONNECTIONS} connections have come and gone. The kernel's own memory of a socket is not in it.`,
    ],
  }
  return compare(context, part, (_, contestant) =>
    withServer(contestant, {}, undefined, server => measure(server, connections)),
  )
}

async function measure(server, connections) {
  const worker = new Worker('idle', { port: server.port, connections, warmup: WARMUP_CONNECTIONS })
  try {
    await worker.next()
    await delay(SETTLE_MS)
    const empty = server.memory
    worker.tell('go')
    await worker.next()
    await delay(SETTLE_MS)
    const full = server.memory
    worker.tell('end')
    await worker.next()
    return { bytes: (full - empty) / connections, emptyMiB: empty / 2 ** 20 }
  } finally {
    worker.end()
  }
}
