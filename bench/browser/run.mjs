// Serves the benchmark page and, unless it is to be opened by hand, runs it in Chromium: `node bench/browser/run.mjs`,
// with `--save` also into results.json, or with `--serve` and the browser of your choice. It wants `npm run build` first.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { extname } from 'node:path'
import { chromium } from 'playwright'
import { save } from '../results.mjs'
import { spread } from '../rounds.mjs'
import { terminalText } from '../table.mjs'
import { CRITERION, ROUNDS, sizeLabel } from './criterion.mjs'

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' }

const COLUMNS = [
  { key: 'copy', title: 'copy in the arena GB/s', digits: 2 },
  { key: 'unmask', title: 'unmask GB/s', digits: 2 },
  { key: 'share', title: 'unmask/copy', digits: 2 },
  { key: 'copyOutside', title: 'copy elsewhere GB/s', digits: 2 },
  { key: 'unmaskOutside', title: 'unmask GB/s', digits: 2 },
  { key: 'shareOutside', title: 'unmask/copy', digits: 2 },
  { key: 'utf8', title: 'validate UTF-8 GB/s', digits: 2 },
  { key: 'decode', title: 'decode GB/s', digits: 2 },
]

/** Paths below /dist/ are the package's, others of this folder. */
function fileOf(path) {
  if (path.startsWith('/dist/')) return new URL(`../..${path}`, import.meta.url)
  return new URL(path === '/' ? './index.html' : `.${path}`, import.meta.url)
}

const server = createServer((request, response) => {
  const file = fileOf(new URL(request.url, 'http://localhost').pathname)
  readFile(file).then(
    body => {
      // Finer clocks for the page.
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
      response.setHeader('Content-Type', TYPES[extname(file.pathname)] ?? 'application/octet-stream')
      response.end(body)
    },
    () => response.writeHead(404).end(),
  )
})

/** @returns {import('../comparison.mjs').Result} */
function resultOf(measured) {
  const servers = measured.map(({ size, rounds }) => ({
    label: sizeLabel(size),
    size,
    metrics: Object.fromEntries(
      Object.keys(rounds[0]).map(key => [key, spread(rounds.map(round => round[key]))]),
    ),
  }))
  return {
    part: 'browser',
    title: 'shardws/codec in Chromium',
    columns: COLUMNS,
    rows: [{ id: 'chromium', title: 'payload', servers }],
    notes: [
      'The arena is 256 KiB of the codec’s own memory; elsewhere the bytes are copied there and back. Ratios are those of one round.',
    ],
  }
}

/** What the criterion asks, and where it does not hold. */
function verdict({ rows: [{ servers }] }) {
  const missed = ['share', 'shareOutside'].flatMap(key =>
    servers
      .filter(({ metrics }) => metrics[key]?.median < CRITERION)
      .map(({ label }) => `${label} ${key === 'share' ? 'in the arena' : 'elsewhere'}`),
  )
  const criterion = `unmask/copy is to be ${CRITERION.toFixed(2)} or more (10 GB/s where memory copy has 15)`
  return missed.length === 0 ? `${criterion}: it is.` : `${criterion}: it is less for ${missed.join(', ')}.`
}

function machineOf(version, load) {
  const facts = {
    processor: `${availableParallelism()} x ${cpus()[0].model.trim()}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    browser: `Chromium ${version}`,
    rounds: ROUNDS,
    loadBefore: load,
  }
  const lines = [
    `${facts.processor}, ${facts.memoryGiB} GiB, ${facts.kernel}; other work beside it, load average ${load.toFixed(1)}`,
    facts.browser,
    `medians of ${ROUNDS} rounds, in brackets the least and the most`,
  ]
  return { ...facts, lines }
}

server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

if (process.argv.includes('--serve')) console.log(`open ${url}`)
else {
  const [load] = loadavg()
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  })
  const page = await browser.newPage()
  await page.goto(url)
  const result = { ...resultOf(await page.evaluate('results')), date: new Date().toISOString() }
  const machine = machineOf(browser.version(), load)
  await browser.close()
  server.close()
  console.log(`${machine.lines.join('\n')}\n${terminalText(result)}\n${verdict(result)}`)
  if (process.argv.includes('--save')) save({ machine, results: [result] })
}
