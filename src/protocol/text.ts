import type { Codec, CodecMemory } from '../codec/codec.js'
import { EVENT_ASCII } from '../codec/events.js'

/**
 * Strings of text that the codec has validated. ASCII is taken the cheap way: one byte is one character. The rest is
 * Node's to decode where it is good at that, which it is since 24 (4 KiB of Chinese in 1.3 us; Node 20 and 22 take 20).
 */
const isNodeFast = Number.parseInt(process.versions.node, 10) >= 24

/** Of the bytes from `start` to `end` of the codec's memory, which a read brought. */
export function textOf(word: number, codec: Codec, start: number, end: number): string {
  if ((word & EVENT_ASCII) !== 0) return codec.memory.latin1Slice(start, end)
  return isNodeFast ? codec.memory.utf8Slice(start, end) : codec.decodeUtf8(start, end)
}

/** Of all of `bytes`, which lie elsewhere. */
export function textFrom(word: number, bytes: CodecMemory, codec: Codec): string {
  if ((word & EVENT_ASCII) !== 0) return bytes.latin1Slice(0, bytes.length)
  return isNodeFast ? bytes.utf8Slice(0, bytes.length) : codec.decodeUtf8From(bytes)
}
