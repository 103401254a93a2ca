/**
 * UTF-8 by its definition (RFC 3629 3), one byte at a time: slow, and nothing like the codec's way of doing it.
 */
export class ReferenceUtf8 {
  #pending: number[] = []

  /** Whether the bytes so far end between two characters. */
  get complete(): boolean {
    return this.#pending.length === 0
  }

  /** @returns whether the bytes so far, this one included, can still become UTF-8 */
  push(byte: number): boolean {
    this.#pending.push(byte)
    const length = sequenceLength(this.#pending[0])
    if (length === 0) return false
    if (!this.#pending.slice(1).every(next => next >= 0x80 && next <= 0xbf)) return false
    // Between these two is every code point that the sequence can still become.
    const lowest = codePoint(this.#pending, length, 0x80)
    const highest = codePoint(this.#pending, length, 0xbf)
    if (!LENGTHS[length]?.some(([from, to]) => from <= highest && to >= lowest)) return false
    if (this.#pending.length === length) this.#pending = []
    return true
  }
}

/** The scalar values that a sequence of so many bytes is for. */
const LENGTHS: Readonly<Record<number, readonly (readonly [from: number, to: number])[]>> = {
  1: [[0, 0x7f]],
  2: [[0x80, 0x7ff]],
  3: [
    [0x800, 0xd7ff],
    [0xe000, 0xffff],
  ],
  4: [[0x10000, 0x10ffff]],
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1
  if (lead >= 0xc0 && lead <= 0xdf) return 2
  if (lead >= 0xe0 && lead <= 0xef) return 3
  if (lead >= 0xf0 && lead <= 0xf7) return 4
  return 0
}

function codePoint(bytes: readonly number[], length: number, missing: number): number {
  if (length === 1) return bytes[0]
  let value = bytes[0] & (0x7f >> length)
  for (let i = 1; i < length; i++) value = value * 64 + ((bytes[i] ?? missing) & 0x3f)
  return value
}

/** The index of the first byte after which no continuation can be valid; -1 when there is none. */
export function firstInvalidByte(bytes: Uint8Array): number {
  const utf8 = new ReferenceUtf8()
  return bytes.findIndex(byte => !utf8.push(byte))
}
