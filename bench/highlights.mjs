// What the README shows of bench/results.json: a table and a plot.

/** In this order, by these names. */
export const SERVERS = { shardws: 'shardws', ws: 'ws', bun: 'Bun', deno: 'Deno', raw: 'bare sockets' }

const MESSAGE = 'us CPU per message'

/** Less is better in all of them. `drawn`: in the plot, too. */
export const HIGHLIGHTS = [
  { part: 'echo', row: '20b-1', key: 'cpuUs', title: 'Echo, 20 B, 1 in flight', unit: MESSAGE, drawn: true },
  {
    part: 'echo',
    row: '20b-16',
    key: 'cpuUs',
    title: 'Echo, 20 B, 16 in flight',
    unit: MESSAGE,
    drawn: true,
  },
  { part: 'echo', row: '4k-foreign', key: 'cpuUs', title: 'Echo, 4 KiB text, not ASCII', unit: MESSAGE },
  { part: 'echo', row: '16k', key: 'cpuUs', title: 'Echo, 16 KiB', unit: MESSAGE },
  { part: 'echo', row: '64k-text', key: 'cpuUs', title: 'Echo, 64 KiB text', unit: MESSAGE, drawn: true },
  { part: 'echo', row: '1m', key: 'cpuUs', title: 'Echo, 1 MiB', unit: MESSAGE, drawn: true },
  {
    part: 'handshake',
    row: 'tcp',
    key: 'cpuUs',
    title: 'Open and close',
    unit: 'us CPU per connection',
    drawn: true,
  },
  {
    part: 'memory',
    row: 'idle',
    key: 'bytes',
    title: 'Idle connection',
    unit: 'bytes of memory',
    drawn: true,
  },
]

/** @returns what each server took, of those on Node the newest line */
export function valuesOf({ part, row, key }, results) {
  const servers =
    results.find(result => result.part === part)?.rows.find(({ id }) => id === row)?.servers ?? []
  const major = newestNode(servers)
  return Object.keys(SERVERS).flatMap(name => {
    const server = servers.find(
      other => other.name === name && (other.node === undefined || other.node.startsWith(`${major}.`)),
    )
    const value = server?.metrics?.[key]?.median
    return value === undefined || value === null ? [] : [{ name, value }]
  })
}

function newestNode(servers) {
  return Math.max(0, ...servers.map(({ node }) => Number(node?.split('.')[0] ?? 0)))
}

export function format(value) {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** When and where the results were measured, and of what versions. */
export function circumstances(results) {
  const { lines, date } = results.find(({ part }) => part === HIGHLIGHTS[0].part)
  return [`${date.slice(0, 10)}, ${lines[0].split(';')[0]}`, lines[1]]
}
