/**
 * RFC 1951, one bit at a time and written to be compared with the text: slow and obvious. It tells how far back the
 * data refers, which zlib does not.
 */

export interface Inflated {
  bytes: Buffer
  /** The farthest distance that a reference has. */
  distance: number
}

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
]
LENGTH_BASE.push(163, 195, 227, 258)
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** By code, its length before it as a 1: `1` + bits. */
type Code = Map<number, number>

/** RFC 1951 3.2.2. */
function codeOf(lengths: readonly number[]): Code {
  const code: Code = new Map()
  let next = 0
  for (let length = 1; length <= 15; length++) {
    next <<= 1
    for (const [symbol, own] of lengths.entries()) {
      if (own === length) code.set((1 << length) | next++, symbol)
    }
  }
  return code
}

const FIXED = codeOf(
  Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
)
const FIXED_DISTANCES = codeOf(Array.from({ length: 30 }, () => 5))

/**
 * Inflates a message: what was sent, without the four bytes that end it.
 *
 * @param history what the peer has said before
 * @throws for anything but whole blocks, the last of which is the empty stored one
 */
export function inflateMessage(message: Uint8Array, history: Uint8Array = Buffer.alloc(0)): Inflated {
  const input = Buffer.concat([message, Buffer.of(0, 0, 0xff, 0xff)])
  const output = Array.from(history)
  let at = 0
  let farthest = 0

  const bit = (): number => {
    if (at >= input.length * 8) throw new Error('the data ends inside a block')
    const value = (input[at >> 3] >> (at & 7)) & 1
    at++
    return value
  }
  const bits = (count: number): number => {
    let value = 0
    for (let i = 0; i < count; i++) value |= bit() << i
    return value
  }
  const symbol = (code: Code): number => {
    let key = 1
    for (let length = 1; length <= 15; length++) {
      key = (key << 1) | bit()
      const found = code.get(key)
      if (found !== undefined) return found
    }
    throw new Error('no such code')
  }
  const dynamicCodes = (): readonly [Code, Code] => {
    const literals = bits(5) + 257
    const distances = bits(5) + 1
    const orders = bits(4) + 4
    const orderLengths = Array.from({ length: 19 }, () => 0)
    for (let i = 0; i < orders; i++) orderLengths[CODE_LENGTH_ORDER[i]] = bits(3)
    const orderCode = codeOf(orderLengths)
    const lengths: number[] = []
    while (lengths.length < literals + distances) {
      const value = symbol(orderCode)
      if (value < 16) lengths.push(value)
      else if (value === 16) {
        const last = lengths.at(-1) as number
        for (let i = bits(2) + 3; i > 0; i--) lengths.push(last)
      } else for (let i = value === 17 ? bits(3) + 3 : bits(7) + 11; i > 0; i--) lengths.push(0)
    }
    return [codeOf(lengths.slice(0, literals)), codeOf(lengths.slice(literals))]
  }
  const compressedBlock = (literals: Code, distances: Code): void => {
    for (let value = symbol(literals); value !== 256; value = symbol(literals)) {
      if (value < 256) output.push(value)
      else {
        const length = LENGTH_BASE[value - 257] + bits(LENGTH_EXTRA[value - 257])
        const slot = symbol(distances)
        const extra = slot < 2 ? 0 : (slot >> 1) - 1
        const distance = (slot < 2 ? slot : (2 + (slot & 1)) << extra) + 1 + bits(extra)
        if (distance > output.length) throw new Error('a reference to before the beginning')
        farthest = Math.max(farthest, distance)
        for (let i = 0; i < length; i++) output.push(output[output.length - distance])
      }
    }
  }

  let lastIsEmpty = false
  while (at < input.length * 8) {
    bit()
    const type = bits(2)
    if (type === 0) {
      at = Math.ceil(at / 8) * 8
      const length = bits(16)
      if ((bits(16) ^ 0xffff) !== length) throw new Error('the two lengths differ')
      for (let i = 0; i < length; i++) output.push(bits(8))
      lastIsEmpty = length === 0
    } else {
      const codes = type === 1 ? ([FIXED, FIXED_DISTANCES] as const) : type === 2 ? dynamicCodes() : undefined
      if (codes === undefined) throw new Error('no such block')
      compressedBlock(...codes)
      lastIsEmpty = false
    }
  }
  if (!lastIsEmpty) throw new Error('the tail is part of something else')
  return { bytes: Buffer.from(output.slice(history.length)), distance: farthest }
}
