import { describe, expect, it } from 'vitest'
import { Codec } from '../../../src/codec/codec.js'
import { BUILDS } from '../../reference/builds.js'

const KEY = [0x57, 0xbe, 0xad, 0xde]
const KEY_NUMBER = 0xdeadbe57 | 0

describe.each(BUILDS)('$name build', ({ module }) => {
  const codec = new Codec(module, 1)
  const { memory, readOffset } = codec

  it('XORs every length up to 300 at every alignment and phase, and nothing beside it', () => {
    const margin = 32
    const wrong: string[] = []
    for (let shift = 0; shift < 32; shift++) {
      const offset = readOffset + margin + shift
      for (let length = 0; length <= 300; length++) {
        for (let phase = 0; phase < 4; phase++) {
          const before = Buffer.alloc(length + 2 * margin)
          for (let i = 0; i < before.length; i++) before[i] = (i * 7 + length) & 0xff
          const expected = Buffer.from(before)
          for (let i = 0; i < length; i++) {
            expected[margin + i] = expected[margin + i] ^ KEY[(i + phase) % 4]
          }
          memory.set(before, offset - margin)
          codec.mask(offset, length, KEY_NUMBER, phase)
          const after = memory.subarray(offset - margin, offset + length + margin)
          if (expected.compare(after) !== 0) wrong.push(`length ${length}, shift ${shift}, phase ${phase}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('masks in pieces as at once', () => {
    const bytes = Buffer.alloc(1000, 'pieces')
    memory.set(bytes, readOffset)
    codec.mask(readOffset, 1000, KEY_NUMBER, 0)
    const whole = Buffer.from(memory.subarray(readOffset, readOffset + 1000))
    memory.set(bytes, readOffset)
    for (let at = 0, step = 1; at < 1000; at += step, step = (step * 5 + 1) % 89) {
      codec.mask(readOffset + at, Math.min(step, 1000 - at), KEY_NUMBER, at % 4)
      step = Math.max(step, 1)
    }
    expect(whole.compare(memory.subarray(readOffset, readOffset + 1000))).toBe(0)
  })

  it('masks to the last byte of the write arena', () => {
    const { writeOffset, writeCapacity, events } = codec
    events.fill(0x5a5a5a5a)
    memory.fill(0, writeOffset, writeOffset + writeCapacity)
    codec.mask(writeOffset + writeCapacity - 77, 77, KEY_NUMBER, 0)
    expect([...memory.subarray(writeOffset + writeCapacity - 77, writeOffset + writeCapacity)]).toEqual(
      Array.from({ length: 77 }, (_, i) => KEY[i % 4]),
    )
    expect(events.every(word => word === 0x5a5a5a5a)).toBe(true)
  })
})
