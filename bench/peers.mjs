// The servers that are compared, and the programs that run them.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const program = name => fileURLToPath(new URL(`./servers/${name}.mjs`, import.meta.url))
const installed = path => fileURLToPath(new URL(`./node_modules/${path}`, import.meta.url))

const BUN = installed('@oven/bun-linux-x64/bin/bun')
const DENO = installed('@deno/linux-x64-glibc/deno')

/** ws takes the two addons when it finds them; `npm install ws` does not bring them. */
const WITHOUT_ADDONS = { WS_NO_BUFFER_UTIL: '1', WS_NO_UTF_8_VALIDATE: '1' }

/**
 * - `runsOnNode`: once for each Node version that is measured
 * - `mirrored`: its answers are the very bytes that it got
 * - `task`: what it is told besides
 */
export const PEERS = {
  raw: { runsOnNode: true, mirrored: true, command: node => [node, program('raw')] },
  shardws: { runsOnNode: true, command: node => [node, program('shardws')] },
  'shardws-views': {
    runsOnNode: true,
    task: { mode: 'views' },
    command: node => [node, program('shardws')],
  },
  'shardws-epoll': {
    runsOnNode: true,
    command: node => [node, program('shardws')],
    env: { SHARDWS_TRANSPORT: 'epoll' },
  },
  ws: { runsOnNode: true, command: node => [node, program('ws')], env: WITHOUT_ADDONS },
  'ws-addons': { runsOnNode: true, command: node => [node, program('ws')] },
  bun: { binary: BUN, command: () => [BUN, 'run', program('bun')] },
  deno: {
    binary: DENO,
    command: () => [DENO, 'run', '--allow-all', '--no-config', program('deno')],
    env: { DENO_NO_PACKAGE_JSON: '1', DENO_NO_UPDATE_CHECK: '1', DENO_DIR: installed('.deno') },
  },
  http: { runsOnNode: true, command: node => [node, program('http')] },
}

/**
 * One server of a comparison.
 *
 * @typedef {object} Contestant
 * @property {string} name as in PEERS
 * @property {string} label what tables call it
 * @property {string | undefined} node version of the Node that runs it
 * @property {boolean} mirrored
 * @property {string[]} command
 * @property {Record<string, string>} env
 * @property {object} task
 */

/**
 * The servers by `names`, those of Node once for each of `nodes` (paths of executables).
 *
 * @returns {{ contestants: Contestant[], missing: string[] }}
 */
export function contestants(names, nodes) {
  const found = []
  const missing = []
  for (const name of names) {
    const peer = PEERS[name]
    if (peer.binary !== undefined && !existsSync(peer.binary)) missing.push(name)
    else if (!peer.runsOnNode) found.push(contestant(name, peer))
    else for (const node of nodes) found.push(contestant(name, peer, node))
  }
  return { contestants: found, missing }
}

function contestant(name, peer, node) {
  return {
    name,
    label: node === undefined ? name : `${name} (Node ${node.version.split('.')[0]})`,
    node: node?.version,
    mirrored: peer.mirrored === true,
    command: peer.command(node?.path),
    env: peer.env ?? {},
    task: peer.task ?? {},
  }
}

/**
 * Executables of Node, from a list such as `20,26` or of paths. A number is that of the running Node, or of one that
 * is installed in bench/ (package.json has the list).
 *
 * @returns {{ path: string, version: string }[]}
 */
export function nodesOf(list) {
  if (list === undefined) return [{ path: process.execPath, version: process.versions.node }]
  return list.split(',').map(wanted => {
    const path = nodePath(wanted)
    if (!existsSync(path))
      throw new Error(`there is no Node ${wanted} here: give a path, or run npm ci in bench/`)
    return { path, version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().slice(1) }
  })
}

function nodePath(wanted) {
  if (!/^\d+$/.test(wanted)) return wanted
  return wanted === process.versions.node.split('.')[0]
    ? process.execPath
    : installed(`node${wanted}/bin/node`)
}
