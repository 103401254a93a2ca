// Where it was measured, and what.
import { cpus, release, totalmem, type } from 'node:os'
import { processors } from './processors.mjs'

/**
 * @param {import('./comparison.mjs').Context} context
 * @param {Map<string, string>} versions of the servers
 */
export function machine({ rounds, seconds, nodes }, versions) {
  const [{ model }, ...others] = cpus()
  const facts = {
    processor: `${others.length + 1} x ${model.trim()}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    pinned:
      processors.server === undefined ? undefined : { server: processors.server, load: processors.load },
    nodes: nodes.map(({ version }) => version),
    versions: Object.fromEntries([...versions].filter(([name]) => name !== 'raw')),
    rounds,
    seconds,
  }
  return { ...facts, lines: lines(facts) }
}

function lines({ processor, memoryGiB, kernel, pinned, nodes, versions, rounds, seconds }) {
  const place =
    pinned === undefined ? 'not pinned' : `server on processor ${pinned.server}, load on ${pinned.load}`
  const measured = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${processor}, ${memoryGiB} GiB, ${kernel}; ${place}`,
    [`Node ${nodes.join(', ')}`, ...measured].join(', '),
    `medians of ${rounds} rounds of ${seconds} s, in brackets the least and the most`,
  ]
}
