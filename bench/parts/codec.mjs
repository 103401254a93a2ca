// The codec by itself: how fast it unmasks and validates, against a copy of the same bytes and against addons.
import { processors } from '../processors.mjs'
import { interleave } from '../rounds.mjs'
import { runWorker } from '../worker.mjs'

const COLUMNS = [
  { key: 'copy', title: 'copy GB/s', digits: 2 },
  { key: 'codec', title: 'shardws GB/s', digits: 2 },
  { key: 'share', title: 'shardws/copy', digits: 2 },
  { key: 'addons', title: 'addons GB/s', digits: 2 },
  { key: 'builtIn', title: 'bufferutil + isUtf8 GB/s', digits: 2 },
]
const BATCH_COLUMNS = [{ key: 'nsPerFrame', title: 'ns per frame', digits: 1 }]

const SAMPLES = [
  { id: 'binary', title: 'binary: unmask', kind: 'binary', character: [0xff] },
  { id: 'ascii', title: 'ASCII text: unmask and validate', kind: 'text', character: 'a' },
  { id: 'greek', title: 'Greek text: unmask and validate', kind: 'text', character: 'α' },
  { id: 'cjk', title: 'Chinese text: unmask and validate', kind: 'text', character: '語' },
]

const SIZES = [16, 64, 125, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576].map(size => ({
  label: size < 1024 ? `${size} B` : size < 2 ** 20 ? `${size / 1024} KiB` : `${size / 2 ** 20} MiB`,
  size,
}))

const BATCHES = [20, 125].flatMap(size =>
  [1, 16, 400].map(frames => ({ label: `${frames} x ${size} B`, size, frames })),
)

/** @param {import('../comparison.mjs').Context} context */
export async function run(context) {
  const rows = []
  for (const node of context.nodes) {
    for (const { id, title, ...sample } of SAMPLES) {
      const nodeId = `${id}-${node.version.split('.')[0]}`
      if (context.rows?.test(nodeId) === false) continue
      const heading = context.nodes.length > 1 ? `${title}, Node ${node.version}` : title
      context.log(`codec: ${heading}`)
      rows.push({ id: nodeId, title: heading, servers: await measure(context, node, sample, SIZES) })
      const batches = await measure(context, node, sample, BATCHES)
      rows.push({
        id: `${nodeId}-frames`,
        title: `${heading}, frames of one read`,
        servers: batches,
        columns: BATCH_COLUMNS,
      })
    }
  }
  return {
    part: 'codec',
    title: 'The codec by itself',
    columns: COLUMNS,
    rows,
    notes: [
      'GB/s of payload, a call into WebAssembly for each 64 KiB included. Addons: bufferutil to unmask and, for text, utf-8-validate; isUtf8 is of node:buffer.',
    ],
  }
}

async function measure({ rounds }, node, sample, cases) {
  const entries = await interleave(rounds, cases, ({ size, frames }) =>
    runWorker('codec', { ...sample, size, frames }, processors.server, node.path),
  )
  return entries.map(({ contestant: { label, size }, metrics, fault }) => ({ label, size, metrics, fault }))
}
