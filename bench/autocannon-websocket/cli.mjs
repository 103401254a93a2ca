// `node bench/autocannon-websocket/cli.mjs ws://localhost:9000`: autocannon's command line for a WebSocket endpoint.
import { parseArgs } from 'node:util'
import autocannon from 'autocannon'
import { webSocket } from './adapter.mjs'
import { resultTable } from './result-table.mjs'

const HELP = `Usage: node cli.mjs [flags] ws://host:port/path

  -c, --connections <n>     connections (default 10)
  -p, --pipelining <n>      messages under way on each (default 1)
  -d, --duration <s>        seconds (default 10)
  -a, --amount <n>          messages in all, instead of a duration
  -r, --connectionRate <n>  messages per second and connection
  -R, --overallRate <n>     messages per second in all
  -t, --timeout <s>         seconds without an answer that are an error (default 10)
  -b, --body <text>         the message, as text
  -s, --size <n>            bytes of a message of random bytes (default 20)
      --text                ASCII text instead of random bytes
  -H, --header <k=v>        a header of the opening request; several times for more
  -j, --json                autocannon's result as JSON; latencies are microseconds
  -h, --help                this text
`

/** The flags that are autocannon's own options. */
const NUMBERS = { c: 'connections', p: 'pipelining', d: 'duration', a: 'amount', t: 'timeout' }
const RATES = { r: 'connectionRate', R: 'overallRate' }

const letters = Object.entries({ ...NUMBERS, ...RATES })
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...Object.fromEntries(letters.map(([short, name]) => [name, { type: 'string', short }])),
    body: { type: 'string', short: 'b' },
    size: { type: 'string', short: 's', default: '20' },
    text: { type: 'boolean', default: false },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    json: { type: 'boolean', short: 'j', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

if (values.help || positionals.length !== 1) {
  process.stderr.write(HELP)
  process.exit(values.help ? 0 : 2)
}

const { body, text, json } = values
const numbers = letters
  .filter(([, name]) => values[name] !== undefined)
  .map(([, name]) => [name, Number(values[name])])
const run = autocannon({
  // Autocannon knows HTTP, and so is the opening handshake.
  url: positionals[0].replace(/^ws:/, 'http:'),
  ...Object.fromEntries(numbers),
  headers: Object.fromEntries(values.header.map(line => line.split(/=(.*)/s, 2))),
  setupClient: webSocket({ message: body, size: Number(values.size), text: text || body !== undefined }),
})
/** What went wrong, and how often: autocannon itself only counts. */
const reasons = new Map()
run.on('reqError', ({ message }) => reasons.set(message, (reasons.get(message) ?? 0) + 1))
const result = await run
for (const [reason, count] of reasons) process.stderr.write(`${count} x ${reason}\n`)
process.stdout.write(json ? `${JSON.stringify(result, undefined, 2)}\n` : `${resultTable(result)}\n`)
process.exitCode = result.errors + result.mismatches > 0 || result['2xx'] === 0 ? 1 : 0
