import { describe, expect, it } from 'vitest'
import { InflateHistory } from '../../../src/connection/inflate-history.js'
import { createInflater } from '../../../src/connection/zlib-stream.js'
import { deflateMessage } from '../../support/compressed-frames.js'
import { Random } from '../../support/random.js'

describe('what a client has sent', () => {
  it('takes as much memory as it is long, up to the window', () => {
    const history = new InflateHistory(15)
    const message = Buffer.alloc(600)
    expect(history.capacity).toBe(1024)
    history.append(message, 0, 600)
    expect(history.capacity).toBe(1024)
    history.append(message, 0, 600)
    expect(history.capacity).toBe(2048)
    for (let i = 0; i < 1000; i++) history.append(message, 0, 600)
    expect(history.capacity).toBe(32_768)
    expect(new InflateHistory(8).capacity).toBe(256)
  })

  it.each([8, 11, 15])('of a window of %i bits is known to another stream, to the byte', bits => {
    const random = new Random(bits)
    const history = new InflateHistory(bits)
    const sink = Buffer.alloc(2 ** bits)
    let before = Buffer.alloc(0)
    for (let i = 0; i < 300; i++) {
      const piece = random.bytes(random.integer(0, random.pick([5, 300, 2 ** bits * 1.5])))
      history.append(Buffer.concat([Buffer.of(1), piece]), 1, piece.length + 1)
      before = Buffer.concat([before, piece]).subarray(-(2 ** bits))
      if (before.length === 0) continue
      const stream = createInflater(bits)
      history.prime(stream, sink, 0)
      // Refers to all of it, from its first byte on, as far as a compressor can.
      const message = deflateMessage(before, { windowBits: Math.max(bits, 9), dictionary: before })
      const output = Buffer.alloc(before.length + 1)
      stream.write(2, message, 0, message.length, output, 0, output.length)
      expect([stream.failed, output.length - stream.room]).toEqual([false, before.length])
      expect(output.subarray(0, before.length).equals(before)).toBe(true)
      stream.close()
    }
  })
})
