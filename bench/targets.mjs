// The targets that the project has set itself, and what bench/results.json says of them: a ratio of medians on the same
// Node (Bun has but one figure), or a plain figure.

const NAMES = { raw: 'bare sockets', ws: '`ws`', bun: 'Bun' }

const TARGETS = [
  ...ratios('20 B, 1 in flight, binary', 'echo', '20b-1', { raw: 1.15, ws: 0.7 }),
  ...ratios('20 B, 1 in flight, text', 'echo', '20b-1-text', { raw: 1.15, ws: 0.7 }),
  ...ratios('20 B, 16 in flight', 'echo', '20b-16', { bun: 0.8, ws: 0.1, raw: 1.15 }),
  ...ratios('125 B, 16 in flight', 'echo', '125b-16', { bun: 0.8, ws: 0.1, raw: 1.15 }),
  ...ratios('16 KiB', 'echo', '16k', { bun: 0.62, ws: 0.33, raw: 1.3 }),
  ...ratios('64 KiB text', 'echo', '64k-text', { bun: 0.62, ws: 0.33, raw: 1.3 }),
  ...ratios('1 MiB', 'echo', '1m', { bun: 0.62, ws: 0.33, raw: 1.3 }),
  ...ratios('accept, handshake, close', 'handshake', 'tcp', { bun: 1 }),
  { title: 'bytes of an idle connection', part: 'memory', row: 'idle', key: 'bytes', most: 4096 },
  { title: 'ms from start to first echo, two shards', part: 'start', row: 'start', key: 'ms', most: 250 },
  {
    title: 'messages/s of two shards, times one, 20 us of work',
    part: 'shards',
    row: 'work',
    key: 'perSecond',
    shards: 2,
    least: 1.6,
  },
  {
    title: 'messages/s of two shards, times one, plain echo',
    part: 'shards',
    row: 'echo-1',
    key: 'perSecond',
    shards: 2,
    least: 1,
  },
]

function ratios(title, part, row, peers) {
  return Object.entries(peers).map(([peer, most]) => ({
    title: `${title}: CPU, times ${NAMES[peer]}`,
    part,
    row,
    key: 'cpuUs',
    peer,
    most,
  }))
}

/** What `target` comes to on a Node of line `major`; undefined when it was not measured. */
function reached({ part, row, key, peer, shards }, major, results) {
  const servers =
    results.find(result => result.part === part)?.rows.find(({ id }) => id === row)?.servers ?? []
  const isOurs = ({ name, node }) => name === 'shardws' && node?.startsWith(`${major}.`)
  const value = wanted => servers.find(wanted)?.metrics?.[key]?.median
  if (shards !== undefined) {
    const [one, more] = servers.filter(isOurs).map(server => server.metrics?.[key]?.median)
    return more / one
  }
  const own = value(isOurs)
  if (peer === undefined) return own
  return (
    own / value(({ name, node }) => name === peer && (node === undefined || node.startsWith(`${major}.`)))
  )
}

function cell(target, value) {
  if (value === undefined || Number.isNaN(value)) return 'not measured'
  const isMet = target.most === undefined ? value >= target.least : value <= target.most
  const text = value >= 100 ? value.toLocaleString('en-US', { maximumFractionDigits: 0 }) : value.toFixed(2)
  return isMet ? text : `**${text}**`
}

function limit({ most, least }) {
  return most === undefined ? `>= ${least}` : `<= ${most.toLocaleString('en-US')}`
}

/** A table in Markdown; what misses its target is bold. */
export function targetTable(results) {
  return [
    '| | target | Node 20 | Node 26 |',
    '|---|--:|--:|--:|',
    ...TARGETS.map(target => {
      const cells = [20, 26].map(major => cell(target, reached(target, major, results)))
      return `| ${target.title} | ${limit(target)} | ${cells.join(' | ')} |`
    }),
    '',
  ].join('\n')
}
