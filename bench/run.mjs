// `npm run bench [-- part ...] [flags]`: see README.md.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { versions } from './comparison.mjs'
import { machine } from './machine.mjs'
import { nodesOf, PEERS } from './peers.mjs'
import { processors } from './processors.mjs'
import { save } from './results.mjs'
import { terminalText } from './table.mjs'
import { hasUsage } from './usage.mjs'

const PARTS = ['echo', 'broadcast', 'handshake', 'memory', 'shards', 'start', 'codec', 'http', 'compression']

const HELP = `Usage: npm run bench -- [part ...] [flags]

Parts: ${PARTS.join(', ')}; by default all.

  --rounds <n>      rounds of each comparison (default 3)
  --seconds <n>     seconds of each measurement (default 1)
  --peers <a,b>     servers to compare: ${Object.keys(PEERS).join(', ')}
  --rows <text>     only rows whose id contains it (echo: 20b-1, 16k, ...)
  --node <a,b>      Node versions, such as 20,26, or paths of executables
  --connections <n> connections of the memory part (default 20000)
  --shards <n>      shards of the shards and start parts (default: processors)
  --json            the results as JSON on stdout
  --save            write RESULTS.md and results.json in bench/
  --no-install      take the servers that are installed, don't install the others
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    peers: { type: 'string' },
    rows: { type: 'string' },
    node: { type: 'string' },
    connections: { type: 'string', default: '20000' },
    shards: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    'no-install': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function fail(text) {
  process.stderr.write(`bench: ${text}\n`)
  process.exit(2)
}

function positive(name) {
  const value = Number(values[name])
  return value > 0 ? value : fail(`--${name} takes a number above 0, not ${values[name]}`)
}

/** Names of `known`, or the way out. */
function checked(names, known, what) {
  for (const name of names) {
    if (!known.includes(name)) fail(`there is no ${what} ${name}; there are: ${known.join(', ')}`)
  }
  return names
}

function install() {
  const directory = fileURLToPath(new URL('.', import.meta.url))
  if (existsSync(`${directory}/node_modules`) || values['no-install']) return
  process.stderr.write('bench: installing the servers to compare with, 400 MB, in bench/ (npm ci)\n')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: directory,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.stderr.write('bench: npm ci failed; what is not installed is left out\n')
}

if (values.help) {
  process.stdout.write(HELP)
  process.exit()
}
if (!existsSync(new URL('../dist/index.js', import.meta.url))) fail('build first: npm run build')
if (values.save && (values.rows !== undefined || values.peers !== undefined)) {
  fail('--save keeps whole parts: leave --rows and --peers out')
}
const parts = checked(positionals.length === 0 ? PARTS : positionals, PARTS, 'part')
install()

/** @type {import('./comparison.mjs').Context} */
const context = {
  rounds: positive('rounds'),
  seconds: positive('seconds'),
  connections: positive('connections'),
  shards: positive('shards'),
  nodes: nodesOf(values.node),
  peers: values.peers && checked(values.peers.split(','), Object.keys(PEERS), 'server'),
  rows: values.rows && new RegExp(values.rows.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')),
  log: text => process.stderr.write(`${text}\n`),
}

if (!hasUsage) context.log('Processor time and memory are read from /proc, which there is on Linux only.')
else if (processors.server === undefined) context.log('Not pinned: it takes two processors and taskset.')

const results = []
for (const name of parts) {
  const { run } = await import(`./parts/${name}.mjs`)
  const result = { ...(await run(context)), date: new Date().toISOString() }
  results.push(result)
  if (!values.json) process.stdout.write(terminalText(result))
  // At once: what comes after may be interrupted.
  if (values.save) save({ machine: machine(context, versions), results: [result] })
}
const report = { machine: machine(context, versions), results }
if (values.json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
else process.stdout.write(`${report.machine.lines.join('\n')}\n`)
