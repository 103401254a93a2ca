// permessage-deflate: what it takes of the processor and of memory, and what it saves on the wire.
import { setTimeout as delay } from 'node:timers/promises'
import { compare, withServer } from '../comparison.mjs'
import { processors } from '../processors.mjs'
import { interleave } from '../rounds.mjs'
import { runWorker, Worker } from '../worker.mjs'

const WARMUP_SECONDS = 0.5
const CONNECTIONS = 50
/** Bytes of the conversation that the libraries compress. */
const LIBRARY_TALK = 128 * 1024
/** Of the rows on memory. */
const MANY = 1000
const TALK = { size: 1024, count: 21 }
/** How often all connections go and others come. */
const CHURNS = 5
const SETTLE_MS = 1000

const COLUMNS = [
  { key: 'cpuUs', title: 'CPU us per message', digits: 1 },
  { key: 'wireBytes', title: 'bytes on the wire', digits: 0 },
  { key: 'ratio', title: 'of what it was', digits: 3 },
  { key: 'perSecond', title: 'messages/s', digits: 0 },
]
const MEMORY_COLUMNS = [
  { key: 'bytes', title: 'bytes per connection', digits: 0 },
  { key: 'churnedBytes', title: `after ${CHURNS} times others`, digits: 0 },
  { key: 'leftMiB', title: 'MiB left when all are gone', digits: 1 },
]
const LIBRARY_COLUMNS = [
  { key: 'deflateUs', title: 'compress us', digits: 1 },
  { key: 'inflateUs', title: 'inflate us', digits: 1 },
  { key: 'bytes', title: 'bytes', digits: 0 },
]

const SIZES = [
  ['200', '200 B', 200],
  ['1k', '1 KiB', 1024],
  ['16k', '16 KiB', 16_384],
]
const WAYS = [
  ['', 'with context take-over', true],
  ['-without', 'without context take-over', false],
]

const LIBRARIES = {
  synchronous: 'node:zlib, synchronous (shardws)',
  streams: 'node:zlib, streams (ws)',
  functions: 'node:zlib, a stream for each message',
  fflate: 'fflate',
  pako: 'pako',
}

const ECHO_ROWS = SIZES.flatMap(([id, name, size]) =>
  WAYS.map(([suffix, way, takesOver]) => ({
    id: `echo-${id}${suffix}`,
    title: `JSON of ${name}, ${way}, ${CONNECTIONS} connections`,
    kind: 'echo',
    size,
    deflate: { takesOver },
  })),
)
const MEMORY_ROWS = WAYS.map(([suffix, way, takesOver]) => ({
  id: `memory${suffix}`,
  title: `memory of ${MANY.toLocaleString('en-US')} connections that compress, ${way}`,
  kind: 'memory',
  columns: MEMORY_COLUMNS,
  deflate: { takesOver },
}))
MEMORY_ROWS.push({
  ...MEMORY_ROWS[0],
  id: 'memory-contexts',
  title: `the same with maxContexts ${MANY.toLocaleString('en-US')}`,
  deflate: { takesOver: true, maxContexts: MANY },
  contestants: all => all.filter(({ name }) => name === 'shardws'),
})

/** @param {import('../comparison.mjs').Context} context */
export async function run(context) {
  const part = {
    part: 'compression',
    title: 'Compression (permessage-deflate), one shard',
    columns: COLUMNS,
    peers: ['shardws', 'ws', 'bun'],
    rows: [...ECHO_ROWS, ...MEMORY_ROWS],
    notes: [
      'Chat messages in JSON, and pages of them for 16 KiB, echoed as text, one in flight on each connection. Everything is compressed, both ways, windows of 15 bits, level 6 (Bun has no setting for it); what the clients send was compressed before. Bun: `dedicated` with context take-over, `shared` without.',
      `Memory: PSS of the process over that of the empty server, after ${TALK.count} messages of ${TALK.size} bytes both ways on each connection; then all are cut and as many others do the same, ${CHURNS} times; what is left is measured a second after the end, when shardws has streams still that it closes after 15 to 30 s without use.`,
      'The last rows are the libraries alone: processor time for each message of one conversation, all threads.',
    ],
  }
  const result = await compare(context, part, (row, contestant) =>
    row.kind === 'echo' ? measureEcho(row, contestant, context.seconds) : measureMemory(row, contestant),
  )
  for (const row of result.rows) {
    if (row.id.startsWith('memory')) row.columns = MEMORY_COLUMNS
  }
  result.rows.push(...(await libraries(context)))
  return result
}

function measureEcho({ size, deflate }, contestant, seconds) {
  return withServer(contestant, { deflate }, processors.server, ({ port, pids }) => {
    const { takesOver } = deflate
    const task = { port, pids, seconds, warmup: WARMUP_SECONDS, connections: CONNECTIONS, size, takesOver }
    return runWorker('compression', task, processors.load)
  })
}

function measureMemory({ deflate }, contestant) {
  return withServer(contestant, { deflate }, undefined, async server => {
    const { takesOver } = deflate
    const empty = server.memory
    const worker = new Worker('compressed-idle', { ...TALK, port: server.port, connections: MANY, takesOver })
    try {
      const each = []
      for (let round = 0; round <= CHURNS; round++) {
        await worker.next()
        await delay(SETTLE_MS)
        each.push((server.memory - empty) / MANY)
        if (round < CHURNS) worker.tell('again')
      }
      worker.end()
      await delay(SETTLE_MS)
      return {
        bytes: each[0],
        churnedBytes: each[CHURNS],
        leftMiB: (server.memory - empty) / 2 ** 20,
      }
    } finally {
      worker.end()
    }
  })
}

async function libraries({ rounds, nodes, rows, log }) {
  const measured = []
  for (const node of nodes) {
    for (const [id, name, size] of SIZES) {
      for (const [suffix, way, takesOver] of WAYS) {
        const rowId = `library-${id}${suffix}-${node.version.split('.')[0]}`
        if (rows?.test(rowId) === false) continue
        const title = `the library alone, JSON of ${name}, ${way}, Node ${node.version.split('.')[0]}`
        log(`compression: ${title}`)
        const entries = await interleave(rounds, Object.keys(LIBRARIES), library =>
          runWorker(
            'deflate',
            { library, size, takesOver, count: Math.max(32, Math.ceil(LIBRARY_TALK / size)) },
            processors.server,
            node.path,
          ),
        )
        const servers = entries.map(({ contestant, metrics, fault }) => ({
          label: LIBRARIES[contestant],
          metrics,
          fault,
        }))
        measured.push({ id: rowId, title, servers, columns: LIBRARY_COLUMNS })
      }
    }
  }
  return measured
}
