// What an opening handshake costs before any socket is written to: the request of a browser that comes in one read.
// Run it on a built package: `node bench/handshake.mjs`.
import { createHash } from 'node:crypto'
import { acceptKey } from '../dist/handshake/accept.js'
import { HeadReader } from '../dist/handshake/head.js'
import { Request } from '../dist/handshake/request.js'
import { serializeAcceptance } from '../dist/handshake/response.js'
import { examine } from '../dist/handshake/upgrade.js'

const ROUNDS = 25
const CALLS = 20_000

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const HEAD = [
  'GET /chat?room=1 HTTP/1.1',
  'Host: localhost:9000',
  'Connection: Upgrade',
  'Pragma: no-cache',
  'Cache-Control: no-cache',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Upgrade: websocket',
  'Origin: http://localhost:9000',
  'Sec-WebSocket-Version: 13',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-US,en;q=0.9',
  'Cookie: session=0123456789abcdef0123456789abcdef',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  '',
  '',
].join('\r\n')

// As in a shard the bytes are in the memory of a WebAssembly module.
const memory = Buffer.from(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer)
memory.write(HEAD, 'latin1')
const limits = { maxHeaderBytes: 16_384, maxHeaderLines: 100 }
const policy = { path: undefined, origins: undefined, protocols: [] }

function read() {
  const reader = new HeadReader(limits)
  reader.read(memory, 0, HEAD.length)
  return reader.head
}

const request = new Request(read())
const upgrade = examine(request, policy)

const STEPS = {
  'read the head': read,
  'examine the request': () => examine(request, policy).accept,
  'of which Sec-WebSocket-Accept': () => acceptKey(KEY),
  'the same with node:crypto': () =>
    createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64'),
  'serialize the response': () => memory.latin1Write(serializeAcceptance(upgrade), 4096),
  'all of it': () => memory.latin1Write(serializeAcceptance(examine(new Request(read()), policy)), 4096),
  'request.headers, if the app wants them': () => new Request(request.head).headers.host,
}

console.log(`Node ${process.version}, a head of ${HEAD.length} bytes, nanoseconds`)
for (const [name, step] of Object.entries(STEPS)) {
  let best = Number.POSITIVE_INFINITY
  let last
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < CALLS; i++) last = step()
    best = Math.min(best, Number(process.hrtime.bigint() - start) / CALLS)
  }
  if (last === undefined) throw new Error(`${name} gave nothing`)
  console.log(`${best.toFixed(0).padStart(6)}  ${name}`)
}
