// The regression guard of the hot path, for CI: `node bench/guard.mjs`, on a built package. Processor time per message
// depends on the machine, but how much less of it shardws takes than ws, in the same run, hardly does. It fails when
// that falls below three quarters of what results.json, the last results that were kept, shows.
import { measureEcho, ROWS } from './parts/echo.mjs'
import { contestants, nodesOf } from './peers.mjs'
import { savedResults } from './results.mjs'
import { interleave } from './rounds.mjs'
import { hasUsage } from './usage.mjs'

const GUARDED = ['20b-1', '20b-16']
const LEAST_SHARE = 0.75
const ROUNDS = 3
const SECONDS = 1
/** A machine that does something else at the same time gets another chance. */
const ATTEMPTS = 3

/** How many times the processor time of shardws ws takes for a message. */
function advantage(entries) {
  const median = wanted => {
    const { metrics, fault } = entries.find(({ name }) => name === wanted) ?? { fault: 'it was not measured' }
    if (fault !== undefined) throw new Error(`${wanted}: ${fault}`)
    return metrics.cpuUs.median
  }
  return median('ws') / median('shardws')
}

/** Of the kept results, on this line of Node or, when it was not measured, on whichever was. */
function keptAdvantage(id, major) {
  const echo = savedResults()?.results.find(({ part }) => part === 'echo')
  const servers = echo?.rows.find(row => row.id === id)?.servers
  if (servers === undefined)
    throw new Error(`bench/results.json has no row ${id}: npm run bench -- echo --save`)
  const own = servers.filter(({ node }) => node?.split('.')[0] === major)
  return advantage(own.length > 0 ? own : servers)
}

async function measuredAdvantage(row, nodes) {
  const list = contestants(['shardws', 'ws'], nodes).contestants
  const entries = await interleave(ROUNDS, list, contestant => measureEcho(row, contestant, SECONDS))
  return advantage(
    entries.map(({ contestant, metrics, fault }) => ({ name: contestant.name, metrics, fault })),
  )
}

async function isKept(id) {
  const nodes = nodesOf()
  const kept = keptAdvantage(id, nodes[0].version.split('.')[0])
  const least = kept * LEAST_SHARE
  const row = ROWS.find(other => other.id === id)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const measured = await measuredAdvantage(row, nodes)
    const verdict = measured >= least ? 'holds' : 'FAILS'
    console.log(
      `${row.title}: ws takes ${measured.toFixed(2)} times the CPU of shardws; kept ${kept.toFixed(2)}, at least ${least.toFixed(2)}: ${verdict}`,
    )
    if (measured >= least) return true
  }
  return false
}

if (!hasUsage) throw new Error('the guard reads processor time from /proc, which there is on Linux only')
const verdicts = []
for (const id of GUARDED) verdicts.push(await isKept(id))
process.exitCode = verdicts.every(Boolean) ? 0 : 1
