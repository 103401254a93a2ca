// What a server's processor does for a message that comes and goes.
import { compare, withServer } from '../comparison.mjs'
import { processors } from '../processors.mjs'
import { runWorker } from '../worker.mjs'

/** Most of its characters take three or two bytes of UTF-8, some four, some one. */
const FOREIGN = Buffer.from('世界、Ωμέγα 語言 Привет 😀 '.repeat(91))

const FIFTY = '50 connections'

export const ROWS = [
  { id: '20b-1', title: `20 B binary, 1 in flight, ${FIFTY}`, load: { size: 20 } },
  { id: '20b-1-text', title: `20 B text, 1 in flight, ${FIFTY}`, load: { size: 20, text: true } },
  { id: '20b-16', title: `20 B binary, 16 in flight, ${FIFTY}`, load: { size: 20, pipelining: 16 } },
  { id: '125b-16', title: `125 B binary, 16 in flight, ${FIFTY}`, load: { size: 125, pipelining: 16 } },
  {
    id: '4k-foreign',
    title: `${FOREIGN.length} B of non-ASCII text, 1 in flight, ${FIFTY}`,
    load: { payload: FOREIGN, text: true },
  },
  { id: '16k', title: `16 KiB binary, 1 in flight, ${FIFTY}`, load: { size: 16_384 } },
  { id: '64k-text', title: `64 KiB text, 1 in flight, ${FIFTY}`, load: { size: 65_536, text: true } },
  {
    id: '1m',
    title: '1 MiB binary, 1 in flight, 10 connections',
    load: { size: 1_048_576, connections: 10 },
  },
]

const COLUMNS = [
  { key: 'cpuUs', title: 'CPU us per message', digits: 2 },
  { key: 'perSecond', title: 'messages/s', digits: 0 },
  { key: 'p50Us', title: 'p50 us', digits: 0 },
  { key: 'p99Us', title: 'p99 us', digits: 0 },
]

const WARMUP_SECONDS = 0.5

export function run(context) {
  const part = {
    part: 'echo',
    title: 'Echo, one shard',
    columns: COLUMNS,
    peers: ['raw', 'shardws', 'ws', 'bun', 'deno'],
    rows: ROWS,
    notes: ['Server on one processor, load on another; processor time of all threads, user and system.'],
  }
  return compare(context, part, (row, contestant) => measureEcho(row, contestant, context.seconds))
}

/** One measurement of one row on one server, which is started for it. */
export function measureEcho({ task, load }, contestant, seconds, place = processors) {
  return withServer(contestant, task, place.server, ({ port, pids }) => {
    const { mirrored } = contestant
    const { loadProcesses: processes } = place
    const common = {
      url: `ws://127.0.0.1:${port}/`,
      pids,
      duration: seconds,
      warmup: WARMUP_SECONDS,
      mirrored,
      processes,
    }
    return runWorker('echo', { ...common, ...load }, place.load)
  })
}
