import { describe, expect, it } from 'vitest'
import { Codec } from '../../../src/codec/codec.js'
import { EVENT_ASCII, EVENT_ERROR, EVENT_WHOLE } from '../../../src/codec/events.js'
import { BUILDS } from '../../reference/builds.js'
import { frameBytes } from '../../reference/frames.js'

const KEY = [0x11, 0x22, 0x73, 0x44]

describe.each(BUILDS)('$name build', ({ module }) => {
  const codec = new Codec(module, 1)
  const { memory, readOffset, events } = codec

  /** The first event of a connection to which the frame is the first. */
  function firstEvent(frame: Uint8Array): [word: number, offset: number] {
    const slot = codec.acquire('server', 1000, 1)
    memory.set(frame, readOffset)
    expect(codec.decode(slot, frame.length)).toBe(1)
    codec.release(slot)
    return [events[0], events[1] - readOffset]
  }

  it('sees the one byte that is not ASCII, wherever it is in texts of every length up to 300', () => {
    const missed: string[] = []
    for (let length = 2; length <= 300; length += length < 140 ? 1 : 7) {
      const frame = frameBytes({ opcode: 1, payload: Buffer.alloc(length, 'x'), key: KEY })
      const header = frame.length - length
      expect(firstEvent(frame)[0]).toBe(1 | EVENT_WHOLE | EVENT_ASCII)

      for (let at = 0; at < length; at++) {
        const bad = Buffer.from(frame)
        bad[header + at] = 0x80 ^ KEY[at % 4]
        const [word, offset] = firstEvent(bad)
        if ((word & 0xff) !== EVENT_ERROR || offset !== header + at) missed.push(`0x80 at ${at} of ${length}`)
        if (at + 1 === length) continue

        const good = Buffer.from(frame)
        good[header + at] = 0xc3 ^ KEY[at % 4]
        good[header + at + 1] = 0xa9 ^ KEY[(at + 1) % 4]
        if (firstEvent(good)[0] !== (1 | EVENT_WHOLE)) missed.push(`é at ${at} of ${length}`)
      }
    }
    expect(missed).toEqual([])
  })
})
