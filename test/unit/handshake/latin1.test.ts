import { describe, expect, it } from 'vitest'
import { decodeLatin1, decodeLatin1Portably } from '../../../src/handshake/latin1.js'

describe.each([
  ['decodeLatin1', decodeLatin1],
  ['decodeLatin1Portably', decodeLatin1Portably],
])('%s', (_, decode) => {
  it('makes one character of each byte, of every length', () => {
    const bytes = new Uint8Array(20_000).map((_byte, i) => i * 7)
    for (const [start, end] of [
      [0, 0],
      [3, 3],
      [0, 256],
      [1, 4097],
      [5, 8197],
      [0, 20_000],
    ] as const) {
      const text = decode(bytes, start, end)
      expect(text.length).toBe(end - start)
      expect([...text].every((character, i) => character.charCodeAt(0) === bytes[start + i])).toBe(true)
    }
  })

  it('reads a view at an offset of its buffer', () => {
    const bytes = new Uint8Array(Uint8Array.from([1, 2, 0x80, 0xff, 0x41, 6]).buffer, 1, 4)
    expect(decode(bytes, 1, 4)).toBe('\x80\xffA')
  })
})
