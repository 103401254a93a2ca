// What the codec costs: unmasking with UTF-8 validation against a plain copy of the same bytes, and batches of small
// frames. Run it on a built package: `node bench/codec.mjs`.
import { Codec } from '../dist/codec/codec.js'
import { writeHeader } from '../dist/codec/encode.js'
import { compileCodec } from '../dist/codec/module.js'
import { Opcode } from '../dist/rfc6455.js'

const SIZES = [20, 64, 125, 256, 1024, 4096, 16_384, 65_000]
const ROUNDS = 7
const ROUND_MS = 30

/*
 * Decoding unmasks in place, so the second decode of the same bytes masks them again. With this key that does not
 * matter: it flips the lowest bit of every byte, which makes other characters of the same kind out of the samples'.
 */
const KEY = 0x01010101
const SAMPLES = {
  'binary    ': { opcode: Opcode.BINARY, character: Buffer.from([0xff]) },
  'text ASCII': { opcode: Opcode.TEXT, character: Buffer.from('a') },
  'text Greek': { opcode: Opcode.TEXT, character: Buffer.from('α') },
  'text CJK  ': { opcode: Opcode.TEXT, character: Buffer.from('語') },
}

const codec = new Codec(compileCodec(), 1)
const slot = codec.acquire('server', Number.POSITIVE_INFINITY, 1024)

/** The best of some rounds, in nanoseconds per call: the one that was disturbed least. */
function nanosecondsPerCall(call) {
  let calls = 1
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; ) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < calls; i++) call()
    const elapsed = Number(process.hrtime.bigint() - start)
    if (elapsed < ROUND_MS * 1e6) calls = Math.max(calls * 2, Math.ceil((calls * ROUND_MS * 1.1e6) / elapsed))
    else {
      best = Math.min(best, elapsed / calls)
      round++
    }
  }
  return best
}

/** Puts a frame at `offset` of the read arena; returns the offset after it. */
function putFrame(offset, { opcode, character }, size) {
  const at = writeHeader(codec.memory, offset, opcode, true, size, false, KEY)
  const filled = size - (size % character.length)
  codec.memory.fill(character, at, at + filled)
  codec.memory.fill('a', at + filled, at + size)
  return at + size
}

function decodeChecked(length, events) {
  if (codec.decode(slot, length) !== events) throw new Error('the sample was not decoded')
}

const gigabytes = (size, nanoseconds) => (size / nanoseconds).toFixed(2).padStart(7)

console.log(`Node ${process.version}\n\none frame per call, GB/s (and as a share of the copy)`)
console.log(`${'bytes'.padStart(7)}     copy  ${Object.keys(SAMPLES).join('       ')}`)
for (const size of SIZES) {
  const source = codec.memory.subarray(codec.readOffset + 6, codec.readOffset + 6 + size)
  const target = codec.memory.subarray(codec.writeOffset, codec.writeOffset + size)
  const copy = nanosecondsPerCall(() => target.set(source))
  const cells = [gigabytes(size, copy)]
  for (const sample of Object.values(SAMPLES)) {
    const length = putFrame(codec.readOffset, sample, size) - codec.readOffset
    const decode = nanosecondsPerCall(() => decodeChecked(length, 1))
    cells.push(`${gigabytes(size, decode)} (${(copy / decode).toFixed(2)})`)
  }
  console.log(`${String(size).padStart(7)} ${cells.join('   ')}`)
}

console.log('\nframes of one read, nanoseconds per frame')
for (const size of [20, 125]) {
  for (const [name, sample] of Object.entries(SAMPLES)) {
    const cells = []
    for (const frames of [1, 16, 400]) {
      let at = codec.readOffset
      for (let i = 0; i < frames; i++) at = putFrame(at, sample, size)
      const length = at - codec.readOffset
      const decode = nanosecondsPerCall(() => decodeChecked(length, frames))
      cells.push(`${frames} frames ${(decode / frames).toFixed(1).padStart(6)}`)
    }
    console.log(`${String(size).padStart(7)} B ${name}  ${cells.join('   ')}`)
  }
}
