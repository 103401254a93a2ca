import { describe, expect, it } from 'vitest'
import { Codec } from '../../../src/codec/codec.js'
import { BUILDS } from '../../reference/builds.js'

/** One character of each form: ASCII, Latin-1, two bytes, three, and four, first and last of their ranges. */
const CHARACTERS = [
  'a',
  '\u007f',
  '\u0080',
  'é',
  'ÿ',
  'Ā',
  '\u07ff',
  '\u0800',
  '語',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '😀',
  '\u{10ffff}',
]

describe.each(BUILDS)('$name build', ({ module }) => {
  const codec = new Codec(module, 1)
  const { memory, readOffset } = codec

  function decoded(text: string): string {
    const end = readOffset + memory.write(text, readOffset)
    // What lies behind is no part of it.
    memory.fill(0xff, end, end + 64)
    return codec.decodeUtf8(readOffset, end)
  }

  it('decodes every character of Unicode', () => {
    const wrong: number[] = []
    for (let start = 0; start < 0x110000; start += 4096) {
      const points = Array.from({ length: 4096 }, (_, i) => start + i).filter(
        point => point < 0xd800 || point > 0xdfff,
      )
      const text = String.fromCodePoint(...points)
      if (decoded(text) !== text) wrong.push(start)
    }
    expect(wrong).toEqual([])
  })

  it.each(CHARACTERS)('decodes %j at every place among up to 70 letters', character => {
    const wrong: string[] = []
    for (let length = 0; length <= 70; length++) {
      for (let at = 0; at <= length; at++) {
        const text = `${'x'.repeat(at)}${character}${'y'.repeat(length - at)}`
        if (decoded(text) !== text) wrong.push(`${at} of ${length}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('decodes a full arena of each kind', () => {
    const most = codec.readArena.length
    for (const character of CHARACTERS) {
      const text = character.repeat(Math.floor(most / Buffer.byteLength(character)))
      expect(decoded(text) === text, JSON.stringify(character)).toBe(true)
    }
  })

  it('decodes what is longer than an arena, wherever its characters are cut', () => {
    const most = codec.readArena.length
    for (const character of CHARACTERS) {
      for (let shift = 0; shift < 4; shift++) {
        const text =
          'x'.repeat(shift) + character.repeat(Math.ceil((most * 2.5) / Buffer.byteLength(character)))
        expect(
          codec.decodeUtf8From(Buffer.from(text)) === text,
          `${shift} x ${JSON.stringify(character)}`,
        ).toBe(true)
      }
    }
    expect(codec.decodeUtf8From(Buffer.alloc(0))).toBe('')
  })

  it('touches nothing but its scratch arena', () => {
    const slot = codec.acquire('server', 100, 1)
    const text = '\u{10ffff}'.repeat(codec.readArena.length / 4)
    const before = Buffer.from(memory)
    decoded('')
    codec.decodeUtf8From(Buffer.from(text))
    const changed: number[] = []
    const scratch = codec.events.byteOffset + codec.events.byteLength
    for (let i = readOffset + 64; i < memory.length; i++) {
      if (memory[i] !== before[i] && (i < scratch || i >= scratch + 2 * codec.readArena.length))
        changed.push(i)
    }
    expect(changed).toEqual([])
    codec.release(slot)
  })
})
