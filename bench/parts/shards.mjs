// What a second shard brings: plain echo, and a handler that has something to compute.
import { compare } from '../comparison.mjs'
import { stepsFor } from '../servers/work.mjs'
import { measureEcho } from './echo.mjs'

const WORK_US = 20
/** The whole machine is theirs, and the load's. */
const ANYWHERE = { server: undefined, load: undefined, loadProcesses: 1 }

const COLUMNS = [
  { key: 'perSecond', title: 'messages/s', digits: 0 },
  { key: 'cpuUs', title: 'CPU us per message', digits: 2 },
  { key: 'p50Us', title: 'p50 us', digits: 0 },
  { key: 'p99Us', title: 'p99 us', digits: 0 },
]

/** One process or thread of each, and as many as there are shards. */
function oneAndMany(shards) {
  return all =>
    all.flatMap(contestant => {
      const { label, name } = contestant
      const many = name === 'ws' ? `${label}, cluster of ${shards}` : `${label}, ${shards} shards`
      return [contestant, { ...contestant, label: many, task: { ...contestant.task, shards } }]
    })
}

export function run(context) {
  const { shards } = context
  const spins = stepsFor(WORK_US)
  const load = { size: 20, connections: 50 }
  const contestants = oneAndMany(shards)
  const rows = [
    { id: 'work', title: `${WORK_US} us of work, 20 B, 1 in flight`, load, contestants, task: { spins } },
    { id: 'echo-1', title: 'plain echo, 20 B, 1 in flight', load, contestants },
    {
      id: 'echo-16',
      title: 'plain echo, 20 B, 16 in flight',
      load: { ...load, pipelining: 16 },
      contestants,
    },
  ]
  const part = {
    part: 'shards',
    title: `One shard and ${shards}`,
    columns: COLUMNS,
    peers: ['shardws', 'ws'],
    rows,
    notes: ['Nothing is pinned: the load generator takes its share of the same processors.'],
  }
  return compare(context, part, async (row, contestant) => {
    const metrics = await measureEcho(row, contestant, context.seconds, ANYWHERE)
    // Here the load may be what limits: that is where more shards stop to help.
    delete metrics.serverShare
    return metrics
  })
}
