import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Codec } from '../../../src/codec/codec.js'
import { headerLength, MAX_HEADER_LENGTH, writeHeader } from '../../../src/codec/encode.js'
import { EVENT_WHOLE } from '../../../src/codec/events.js'
import { compileCodec } from '../../../src/codec/module.js'
import { frameBytes } from '../../reference/frames.js'

const LENGTHS = [
  0,
  1,
  125,
  126,
  127,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40 + 7,
  2 ** 53 - 1,
]

describe('writeHeader', () => {
  it.each(LENGTHS)('writes a length of %d in its shortest form', length => {
    for (const fin of [true, false]) {
      for (const rsv1 of [true, false]) {
        for (const key of [undefined, [0xff, 0x00, 0x80, 0x7f]]) {
          const expected = frameBytes({
            opcode: 2,
            fin,
            reserved: rsv1 ? 0x40 : 0,
            length: BigInt(length),
            key,
          })
          const target = new Uint8Array(MAX_HEADER_LENGTH + 2).fill(0xaa)
          const maskKey = key && Buffer.from(key).readUInt32LE()
          const end = writeHeader(target, 1, 2, fin, length, rsv1, maskKey)
          expect(end).toBe(1 + headerLength(length) + (key ? 4 : 0))
          expect([...target.subarray(1, end)]).toEqual([...expected])
          expect(target[0]).toBe(0xaa)
          expect([...target.subarray(end)].every(byte => byte === 0xaa)).toBe(true)
        }
      }
    }
  })

  it('writes what the codec reads, in both roles', () => {
    const codec = new Codec(compileCodec(), 2)
    const { memory, writeOffset } = codec
    const server = codec.acquire('server', Number.POSITIVE_INFINITY, 1)
    const client = codec.acquire('client', Number.POSITIVE_INFINITY, 1)
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 1000 }),
        fc.option(fc.integer(), { nil: undefined }),
        (payload, key) => {
          const at = writeHeader(memory, writeOffset, 2, true, payload.length, false, key)
          memory.set(payload, at)
          if (key !== undefined) codec.mask(at, payload.length, key, 0)
          const events = codec.decode(
            key === undefined ? client : server,
            at + payload.length - writeOffset,
            writeOffset,
          )
          expect(events).toBe(1)
          const [word, offset, length, rest] = codec.events
          expect(word).toBe(2 | EVENT_WHOLE)
          expect([offset, length, rest]).toEqual([at, payload.length, 0])
          expect(Buffer.compare(payload, memory.subarray(at, at + payload.length))).toBe(0)
        },
      ),
    )
  })
})
