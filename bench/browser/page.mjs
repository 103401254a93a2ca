// Measures the codec in the browser that shows the page, GB/s of payload, against a copy of the same bytes, which is
// memory's own speed. All take turns, round after round.
import { loadCodec } from '../../dist/codec/index.js'
import { CRITERION, ROUNDS, SIZES } from './criterion.mjs'

/** Shorter than what a processor is taken away for, so that some runs are not disturbed by whatever else there is. */
const LEAST_MS = 1
/** Runs of a measurement, the best of which counts. */
const RUNS = 15
/** What is pushed to a decoder at once. */
const CHUNK = 65_536
/** Bytes of the arena between what is copied and where to. */
const HALF = 131_072

const codec = await loadCodec()
const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d)

/** What is compared, for payloads of `size` bytes: calls, each of which deals with that many. */
function contestants(size) {
  const [outside, other] = [new Uint8Array(size).fill(1), new Uint8Array(size).fill(2)]
  const text = new Uint8Array(size).fill(0x61)
  const wire = codec.encodeMessage(new Uint8Array(size), { role: 'client', maskKey: key })
  const decoder = codec.createDecoder({ role: 'server', maxPayload: size })
  const calls = {
    copyOutside: () => other.set(outside),
    unmaskOutside: () => codec.mask(outside, key),
    utf8: () => codec.isValidUtf8(text),
    decode: () => {
      for (let at = 0; at < wire.length; at += CHUNK) decoder.push(wire.subarray(at, at + CHUNK))
    },
  }
  if (size > HALF) return calls
  const from = codec.arena.subarray(0, size)
  const to = codec.arena.subarray(HALF, HALF + size)
  return { copy: () => to.set(from), unmask: () => codec.mask(from, key), ...calls }
}

/** GB/s of the best run; `state.calls` grows until they take long enough, once for all rounds. */
function rate(call, size, state) {
  let best = 0
  for (let run = 0; run < RUNS; ) {
    const start = performance.now()
    for (let i = 0; i < state.calls; i++) call()
    const ms = performance.now() - start
    if (ms < LEAST_MS) state.calls *= 2
    else {
      best = Math.max(best, (state.calls * size) / ms / 1e6)
      run++
    }
  }
  return best
}

/** One figure for each contestant and each ratio of a round. */
async function measure(size) {
  const list = Object.entries(contestants(size)).map(([name, call]) => ({ name, call, state: { calls: 1 } }))
  const rounds = []
  for (let round = -1; round < ROUNDS; round++) {
    const found = Object.fromEntries(list.map(({ name, call, state }) => [name, rate(call, size, state)]))
    found.shareOutside = found.unmaskOutside / found.copyOutside
    if (found.unmask !== undefined) found.share = found.unmask / found.copy
    // The first round warms up.
    if (round >= 0) rounds.push(found)
    // The page stays alive.
    await new Promise(resolve => {
      setTimeout(resolve)
    })
  }
  return rounds
}

function median(values) {
  return values.toSorted((one, other) => one - other)[values.length >> 1]
}

const COLUMNS = {
  copy: 'copy in the arena',
  unmask: 'unmask in the arena',
  share: 'unmask/copy',
  copyOutside: 'copy elsewhere',
  unmaskOutside: 'unmask elsewhere',
  shareOutside: 'unmask/copy',
  utf8: 'validate UTF-8',
  decode: 'decode to messages',
}

function row(cells, kind) {
  const line = document.querySelector('#results').insertRow()
  for (const text of cells) {
    const element = document.createElement(kind)
    element.textContent = text
    line.append(element)
  }
}

function cell(rounds, name) {
  if (rounds[0][name] === undefined) return '-'
  const value = median(rounds.map(round => round[name]))
  if (!name.startsWith('share')) return value.toFixed(2)
  return `${value.toFixed(2)} ${value >= CRITERION ? '✓' : '✗'}`
}

async function measureAll() {
  row(['bytes', ...Object.values(COLUMNS)], 'th')
  const results = []
  for (const size of SIZES) {
    const rounds = await measure(size)
    results.push({ size, rounds })
    row([size.toLocaleString('en-US'), ...Object.keys(COLUMNS).map(name => cell(rounds, name))], 'td')
  }
  document.querySelector('#state').textContent =
    `GB/s of payload. ✓: unmasking has ${CRITERION.toFixed(2)} of the copy's speed or more (10 GB/s where it has 15).`
  return results
}

globalThis.results = measureAll()
