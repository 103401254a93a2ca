// A part of the benchmark that compares servers: each row of it is one workload, measured on all of them.
import { contestants } from './peers.mjs'
import { interleave } from './rounds.mjs'
import { Server } from './server.mjs'

/** Below this share of a processor the server was waiting for the load, not the other way round. */
const SATURATED = 0.85

/**
 * @typedef {object} Context
 * @property {number} rounds
 * @property {number} seconds of each measurement
 * @property {{ path: string, version: string }[]} nodes
 * @property {string[] | undefined} peers
 * @property {RegExp | undefined} rows
 * @property {(text: string) => void} log
 */

/**
 * @typedef {object} Result
 * @property {string} part
 * @property {string} title
 * @property {{ key: string, title: string, digits: number }[]} columns
 * @property {{ id: string, title: string, servers: object[] }[]} rows
 * @property {string[]} notes
 */

/**
 * @param {Context} context
 * @param {object} part `part`, `title`, `columns`, `notes`, `peers` (names, by default), `rows`
 * @param {(row: object, contestant: object) => Promise<Record<string, number>>} measure one measurement
 * @returns {Promise<Result>}
 */
export async function compare(context, { rows, peers, ...part }, measure) {
  const { contestants: all, missing } = contestants(context.peers ?? peers, context.nodes)
  const measured = []
  for (const row of rows.filter(({ id }) => context.rows?.test(id) ?? true)) {
    context.log(`${part.part}: ${row.title}`)
    const list = row.contestants?.(all) ?? all
    const entries = await interleave(context.rounds, list, contestant => measure(row, contestant))
    measured.push({ id: row.id, title: row.title, servers: entries.map(serverResult) })
  }
  const notes = [...(part.notes ?? [])]
  if (missing.length > 0) notes.push(`Not installed here, left out: ${missing.join(', ')}.`)
  return Object.assign(part, { notes, rows: measured })
}

function serverResult({ contestant, metrics, fault }) {
  const { name, label, node } = contestant
  if (fault !== undefined) return { name, label, node, fault }
  const loadBound = metrics.serverShare !== undefined && metrics.serverShare.median < SATURATED
  return { name, label, node, loadBound, metrics }
}

/** Versions of what was measured, by label: filled in as servers start. */
export const versions = new Map()

/** Runs `use` on a server that is started for it. */
export async function withServer(contestant, task, processor, use) {
  const server = await Server.start(contestant, task, processor)
  versions.set(contestant.name, server.version)
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}
