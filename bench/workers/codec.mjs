// What the codec costs, in this very process: unmasking with validation of UTF-8 against a plain copy of the same
// bytes and against the addons that servers use, and batches of small frames.
import { isUtf8 } from 'node:buffer'
import { Codec } from '../../dist/codec/codec.js'
import { headerLength, writeHeader } from '../../dist/codec/encode.js'
import { EVENT_ERROR, EVENT_OPCODE } from '../../dist/codec/events.js'
import { compileCodec } from '../../dist/codec/module.js'
import { Opcode } from '../../dist/rfc6455.js'
import { onTask } from './task.mjs'

const LEAST_MS = 10
/** Bytes of a read; every sample's character divides it, so that none is cut. */
const CHUNK = 65_520
/** Bytes of the write arena that the copies go to. */
const COPY_ROOM = 65_536
/** A frame's header and masking key at most. */
const MOST_HEADER = 14

/*
 * Unmasking happens in place, so the second time masks the bytes again. With this key that does not matter: it flips
 * the lowest bit of every byte, which makes other characters of the same kind out of the samples'.
 */
const KEY = 0x01010101
const KEY_BYTES = Buffer.from([1, 1, 1, 1])

/** A sample of `size` bytes: the character as often as it fits, and ASCII. */
function fill(target, character) {
  const filled = target.length - (target.length % character.length)
  target.fill(character, 0, filled).fill('a', filled)
}

const codec = new Codec(compileCodec(), 1)
const slot = codec.acquire('server', Number.POSITIVE_INFINITY, 2 ** 32 - 1)

function decodeChecked(length, offset, events) {
  const count = codec.decode(slot, length, offset)
  if (count !== events || (codec.events[(count - 1) * 4] & EVENT_OPCODE) === EVENT_ERROR) {
    throw new Error('the sample was not decoded')
  }
}

/** A frame as it comes in reads: the read arena again and again, what is left at the end in the write arena. */
function frameDecoder({ opcode, character }, size) {
  const { memory, readOffset } = codec
  const restOffset = codec.writeOffset + COPY_ROOM
  const header = headerLength(size) + 4
  const first = Math.min(size, CHUNK)
  const chunks = Math.floor((size - first) / CHUNK)
  const rest = size - first - chunks * CHUNK
  writeHeader(memory, readOffset, opcode, true, size, false, KEY)
  fill(memory.subarray(readOffset + header, readOffset + header + first), character)
  fill(memory.subarray(restOffset, restOffset + rest), character)
  return () => {
    decodeChecked(header + first, readOffset, 1)
    for (let i = 0; i < chunks; i++) decodeChecked(CHUNK, readOffset + header, 1)
    if (rest > 0) decodeChecked(rest, restOffset, 1)
  }
}

/** The same bytes from one place to another, in the same reads. */
function copier(size) {
  const start = codec.readOffset + MOST_HEADER
  const pieces = []
  for (let left = size; left > 0; left -= CHUNK) {
    pieces.push(codec.memory.subarray(start, start + Math.min(left, CHUNK)))
  }
  const target = codec.memory.subarray(codec.writeOffset, codec.writeOffset + CHUNK)
  return () => {
    for (const piece of pieces) target.set(piece)
  }
}

function addonDecoders({ unmask, isValidUTF8 }, { opcode, character }, size) {
  const bytes = Buffer.alloc(size)
  fill(bytes, character)
  if (opcode === Opcode.BINARY) return { addons: () => unmask(bytes, KEY_BYTES) }
  const decoder = isValid => () => {
    unmask(bytes, KEY_BYTES)
    if (!isValid(bytes)) throw new Error('the sample is not valid')
  }
  return { addons: decoder(isValidUTF8), builtIn: decoder(isUtf8) }
}

/** `frames` frames of one read. */
function batchDecoder({ opcode, character }, size, frames) {
  let at = codec.readOffset
  for (let i = 0; i < frames; i++) {
    at = writeHeader(codec.memory, at, opcode, true, size, false, KEY)
    fill(codec.memory.subarray(at, at + size), character)
    at += size
  }
  const length = at - codec.readOffset
  return () => decodeChecked(length, codec.readOffset, frames)
}

/** Nanoseconds per call: the best of three runs, the one that was disturbed least. */
function nanosecondsPerCall(call) {
  let calls = 1
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 3; ) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < calls; i++) call()
    const elapsed = Number(process.hrtime.bigint() - start)
    if (elapsed < LEAST_MS * 1e6) calls = Math.max(calls * 2, Math.ceil((calls * LEAST_MS * 1.1e6) / elapsed))
    else {
      best = Math.min(best, elapsed / calls)
      run++
    }
  }
  return best
}

async function addons() {
  try {
    const [{ default: bufferutil }, { default: isValidUTF8 }] = await Promise.all([
      import('bufferutil'),
      import('utf-8-validate'),
    ])
    return { unmask: bufferutil.unmask, isValidUTF8 }
  } catch {
    return undefined
  }
}

onTask(async ({ kind, character, size, frames }, tell) => {
  const sample = { opcode: kind === 'text' ? Opcode.TEXT : Opcode.BINARY, character: Buffer.from(character) }
  if (frames !== undefined) {
    return tell({ nsPerFrame: nanosecondsPerCall(batchDecoder(sample, size, frames)) / frames })
  }
  const installed = await addons()
  const calls = { copy: copier(size), codec: frameDecoder(sample, size) }
  if (installed !== undefined) Object.assign(calls, addonDecoders(installed, sample, size))
  const gigabytes = Object.entries(calls).map(([name, call]) => [name, size / nanosecondsPerCall(call)])
  const speeds = Object.fromEntries(gigabytes)
  tell({ ...speeds, share: speeds.codec / speeds.copy })
})
