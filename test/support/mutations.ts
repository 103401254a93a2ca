import type { Random } from './random.js'

/** `bytes` with some of them changed, doubled, or left out. */
export function mutate(bytes: Buffer, random: Random, most = 5): Buffer {
  let mutated = Buffer.from(bytes)
  for (let count = random.integer(1, most); count > 0 && mutated.length > 0; count--) {
    const at = random.integer(0, mutated.length)
    const end = Math.min(mutated.length, at + random.integer(1, 20))
    const parts = random.pick([
      [mutated.subarray(0, at), random.bytes(end - at), mutated.subarray(end)],
      [mutated.subarray(0, end), mutated.subarray(at)],
      [mutated.subarray(0, at), mutated.subarray(end)],
      [mutated.subarray(0, at)],
    ])
    mutated = Buffer.concat(parts)
  }
  return mutated
}

/** `bytes` with single bits or bytes changed, which leaves most of a stream of frames what it was. */
export function flip(bytes: Buffer, random: Random): Buffer {
  const flipped = Buffer.from(bytes)
  for (let count = random.integer(1, 4); count > 0; count--) {
    const at = random.integer(0, flipped.length)
    const change = random.next() < 0.5 ? 1 << random.integer(0, 8) : random.integer(1, 256)
    flipped[at] ^= change
  }
  return flipped
}
