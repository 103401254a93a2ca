// Measures the codec in the browser that shows the page, against a copy of the same bytes in the same memory. GB/s of
// payload, each figure the median of rounds in which all take turns.
import { loadCodec } from '../../dist/codec/index.js'

const ROUNDS = 9
const LEAST_MS = 20
const SIZES = [64, 1024, 16_384, 65_536, 131_072]
/** What is pushed to a decoder at once. */
const CHUNK = 65_536

const codec = await loadCodec()
const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d)

/** What is compared, for payloads of `size` bytes: calls, each of which deals with that many. */
function contestants(size) {
  const from = codec.arena.subarray(0, size)
  const to = codec.arena.subarray(131_072, 131_072 + size)
  const elsewhere = new Uint8Array(size)
  const text = new Uint8Array(size).fill(0x61)
  const wire = codec.encodeMessage(new Uint8Array(size), { role: 'client', maskKey: key })
  const decoder = codec.createDecoder({ role: 'server' })
  return {
    'copy in memory': () => to.set(from),
    'unmask in the arena': () => codec.mask(from, key),
    'unmask elsewhere': () => codec.mask(elsewhere, key),
    'decode to messages': () => {
      for (let at = 0; at < wire.length; at += CHUNK) decoder.push(wire.subarray(at, at + CHUNK))
    },
    'validate UTF-8': () => codec.isValidUtf8(text),
  }
}

function rate(call, size) {
  for (let calls = 1; ; calls *= 2) {
    const start = performance.now()
    for (let i = 0; i < calls; i++) call()
    const ms = performance.now() - start
    if (ms >= LEAST_MS) return (calls * size) / ms / 1e6
  }
}

function median(values) {
  return values.toSorted((one, other) => one - other)[values.length >> 1]
}

function row(cells, kind) {
  const line = document.querySelector('#results').insertRow()
  for (const cell of cells) {
    const element = document.createElement(kind)
    element.textContent = cell
    line.append(element)
  }
}

async function measure(size) {
  const calls = contestants(size)
  const found = Object.fromEntries(Object.keys(calls).map(name => [name, []]))
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, call] of Object.entries(calls)) {
      const value = rate(call, size)
      // The first round warms up.
      if (round >= 0) found[name].push(value)
    }
    // The page stays alive.
    await new Promise(resolve => {
      setTimeout(resolve)
    })
  }
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, median(values)]))
}

async function run() {
  row(['bytes', ...Object.keys(contestants(1))], 'th')
  const results = []
  for (const size of SIZES) {
    const rates = await measure(size)
    results.push({ size, ...rates })
    row([size.toLocaleString('en-US'), ...Object.values(rates).map(value => value.toFixed(2))], 'td')
  }
  document.querySelector('#state').textContent = 'GB/s of payload'
  return results
}

globalThis.results = run()
