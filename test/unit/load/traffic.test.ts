import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Codec } from '../../../src/codec/codec.js'
import { EVENT_WHOLE, EVENT_WORDS } from '../../../src/codec/events.js'
import { compileCodec } from '../../../src/codec/module.js'
import { maskedFrame, samplePayload, Traffic } from '../../../src/load/traffic.js'
import { Opcode } from '../../../src/rfc6455.js'

const codec = new Codec(compileCodec(), 1)

/** The payloads of frames that a server gets in one read. */
function serverReads(bytes: Uint8Array): { opcode: number; payload: Buffer }[] {
  const slot = codec.acquire('server', Infinity, 1)
  codec.readArena.set(bytes)
  const count = codec.decode(slot, bytes.length)
  codec.release(slot)
  return Array.from({ length: count }, (_, i) => {
    const [word = 0, start = 0, length = 0] = codec.events.subarray(i * EVENT_WORDS)
    expect(word & EVENT_WHOLE).toBe(EVENT_WHOLE)
    return { opcode: word & 15, payload: Buffer.from(codec.memory.subarray(start, start + length)) }
  })
}

describe('Traffic', () => {
  it('is frames of one length that a server reads as the message', () => {
    const payloads = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(payloads, fc.integer({ min: 1, max: 40 }), (payload, most) => {
        const { batch, frameLength, frames } = new Traffic(payload, false, most)
        expect(frames).toBe(most)
        expect(batch.length).toBe(frames * frameLength)
        const read = serverReads(batch)
        expect(read).toEqual(
          Array.from({ length: most }, () => ({ opcode: Opcode.BINARY, payload: Buffer.from(payload) })),
        )
      }),
    )
  })

  it('has a masking key for each frame', () => {
    const { batch, frameLength, frames } = new Traffic(Buffer.alloc(4), false, 50)
    const keys = Array.from({ length: frames }, (_, i) => batch.readUInt32BE(i * frameLength + 2))
    expect(new Set(keys).size).toBe(50)
  })

  it('takes no more memory than it must for large messages', () => {
    const { frames, batch } = new Traffic(Buffer.alloc(3_000_000), true, 100)
    expect([frames, batch.length]).toEqual([1, 3_000_014])
  })
})

it('control frames are masked too', () => {
  expect(serverReads(maskedFrame(Opcode.PONG, Buffer.from('hi')))).toEqual([
    { opcode: Opcode.PONG, payload: Buffer.from('hi') },
  ])
})

it('text is ASCII of the right size, binary is random', () => {
  expect(samplePayload(50, true).toString()).toMatch(/^[\x20-\x7e]{50}$/)
  expect(samplePayload(50, false).equals(samplePayload(50, false))).toBe(false)
})
