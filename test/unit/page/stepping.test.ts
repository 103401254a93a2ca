import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { examplesOf } from '../../../page/examples.js'
import { layoutStream, type Sample } from '../../../page/frame-layout.js'
import { decodeUpTo, describeFault, describeFrame, describeMessage, placeOf } from '../../../page/stepping.js'
import { loadCodec } from '../../../src/codec/index.js'
import { streams } from '../../reference/frames.js'
import { hex } from '../../vectors/frames.js'

const codec = await loadCodec()

describe('byte by byte', () => {
  it('says what the decoder yields, and with which byte', () => {
    const bytes = hex('81 02 68 69 89 00 88 05 03 e8 62 79 65')
    const told = Array.from({ length: bytes.length + 1 }, (_, count) =>
      decodeUpTo(codec, { bytes, role: 'client' }, count)
        .now.map(message => describeMessage(message))
        .join(),
    )
    expect(told.filter(text => text !== '')).toEqual([
      'the text “hi”',
      'a ping of 0 bytes',
      'a close with code 1000 and the reason “bye”',
    ])
    expect(told.map((text, count) => (text === '' ? -1 : count)).filter(count => count >= 0)).toEqual([
      4, 6, 13,
    ])
    expect(decodeUpTo(codec, { bytes, role: 'client' }, 13).before).toHaveLength(2)
  })

  it.each(examplesOf(codec).filter(({ name }) => name.startsWith('Wrong')))(
    '$name: with the byte that the error names',
    example => {
      const { violation } = layoutStream(codec, example)
      const at = violation?.offset ?? -1
      expect(decodeUpTo(codec, example, at)).toMatchObject({ before: [], now: [] })
      const [message] = decodeUpTo(codec, example, at + 1).now
      expect(message).toMatchObject({ type: 'error', offset: at })
      expect(describeMessage(message)).toMatch(/^ERR_\w+: .*\. The answer is a close with 10\d\d$/)
    },
  )

  it('every byte is somewhere', () => {
    fc.assert(
      fc.property(streams('server'), stream => {
        const bytes = stream as Uint8Array<ArrayBuffer>
        const layout = layoutStream(codec, { bytes, role: 'server' })
        const read = bytes.length - layout.unread
        for (let offset = 0; offset < bytes.length; offset++) {
          const pattern = offset < read ? / of frame \d+$/ : /^(behind|discarded)/
          if (!pattern.test(placeOf(layout, offset))) expect.unreachable(`byte ${offset}`)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('names the places', () => {
    const bytes = hex('81 fe 00 7e 37 fa 21 3d 7f')
    const layout = layoutStream(codec, { bytes, role: 'server' })
    expect([0, 1, 2, 4, 8].map(offset => placeOf(layout, offset))).toEqual([
      'FIN to opcode of frame 1',
      'MASK to Payload length of frame 1',
      'Extended payload length of frame 1',
      'Masking key of frame 1',
      'byte 1 of the payload of frame 1',
    ])
    expect(layout.frames.map(frame => describeFrame(frame, 9))).toEqual([
      'text · 126 bytes · masked · incomplete',
    ])
  })

  it('what follows a Close is discarded, be it right or wrong', () => {
    for (const rest of ['81 00', 'c1 00', '00']) {
      const bytes = hex(`88 00 ${rest}`)
      const layout = layoutStream(codec, { bytes, role: 'client' })
      expect(layout).toMatchObject({
        frames: { length: 1 },
        violation: undefined,
        isClosed: true,
        unread: bytes.length - 2,
      })
      expect(placeOf(layout, 2)).toBe('discarded, behind a Close frame')
    }
    // One that is refused, or not complete, is no end.
    expect(layoutStream(codec, { bytes: hex('88 02 03'), role: 'client' }).isClosed).toBe(false)
    const refused = layoutStream(codec, { bytes: hex('88 01 03 81 00'), role: 'client' })
    expect(refused).toMatchObject({ isClosed: false, violation: { error: { code: 'ERR_CLOSE_LENGTH' } } })
  })

  it('messages of any size are read where nothing limits them', () => {
    const sample: Sample = { bytes: hex('82 7f 00 00 00 00 00 10 00 01'), role: 'client' }
    expect(layoutStream(codec, sample).violation?.error.code).toBe('ERR_MESSAGE_TOO_BIG')
    expect(decodeUpTo(codec, sample, 10).now).toMatchObject([{ type: 'error' }])
    expect(layoutStream(codec, { ...sample, isLimited: false }).violation).toBeUndefined()
    expect(decodeUpTo(codec, { ...sample, isLimited: false }, 10).now).toEqual([])
  })
})

describe('a fault is', () => {
  it.each([
    ['server', '41 80 00 00 00 00', 'RSV1', 0],
    ['client', 'f1 00', 'RSV1 and RSV2 and RSV3', 0],
    ['client', '91 00', 'RSV3', 0],
    ['client', '83 00', 'opcode', 0],
    ['client', '80 00', 'opcode', 0],
    ['client', '09 00', 'FIN', 0],
    ['client', '89 7e 00 7e', 'Payload length', 1],
    ['client', '81 80', 'MASK', 1],
    ['server', '81 00', 'MASK', 1],
    ['client', '82 7e 00 02', 'Extended payload length', 3],
    ['client', '82 7f 80 00 00 00 00 00 00 01', 'Extended payload length', 2],
    ['client', '82 7f 00 00 00 00 00 10 00 01', 'Extended payload length', 9],
    ['client', '81 03 48 ff 6f', 'byte 2 of the payload', 3],
    ['client', '88 02 03 ed', 'byte 2 of the payload', 3],
    ['client', '88 01 03', 'Payload length', 1],
    ['server', '88 81 37 fa 21 3d 34', 'Payload length', 1],
  ] as const)('read by a %s: %s: the field %s, at offset %i', (role, wire, place, at) => {
    const bytes = hex(wire)
    const { frames } = layoutStream(codec, { bytes, role })
    expect(describeFault(frames[0], 0, bytes)?.text).toMatch(
      new RegExp(`^ at offset ${at} of the stream, 0x..?, ${place} of frame 1: `),
    )
    // A bit that is wrong is in the byte that is named.
    expect(frames[0].wrong.some(({ start, bits }) => start >> 3 <= at && (start + bits - 1) >> 3 >= at)).toBe(
      true,
    )
  })

  it.each([
    ['client', '01 01 c3 80 00', 3, 4],
    ['server', '01 81 37 fa 21 3d f4 80 80 37 fa 21 3d', 7, 12],
    ['client', '01 01 c3 89 00 80 00', 5, 6],
  ] as const)('read by a %s: %s: that a text ends inside a character', (role, wire, at, decided) => {
    const bytes = hex(wire)
    const { frames, violation } = layoutStream(codec, { bytes, role })
    const last = frames[frames.length - 1]
    expect(violation).toMatchObject({ offset: decided, error: { code: 'ERR_INVALID_UTF8' } })
    expect(last.wrong).toMatchObject([{ kind: 'fin', start: 0, bits: 1 }])
    expect(describeFault(last, frames.length - 1, bytes)?.text).toMatch(
      new RegExp(
        `^ at offset ${at} of .*, FIN of frame .* ends with the byte at offset ${decided}, inside a char`,
      ),
    )
  })

  it('writes numbers as the rest of the page does', () => {
    const bytes = new Uint8Array(2010)
    bytes.set(hex('82 7e 07 d0'))
    bytes.set(hex('81 03 ff'), 2004)
    const layout = layoutStream(codec, { bytes, role: 'client' })
    expect(placeOf(layout, 2003)).toBe('byte 2,000 of the payload of frame 1')
    expect(describeFault(layout.frames[1], 1, bytes)?.text).toMatch(/^ at offset 2,006 of the stream/)
  })

  it('a single bit, if it is one', () => {
    const top = layoutStream(codec, { bytes: hex('82 7f 80 00 00 00 00 00 00 01'), role: 'client' })
    expect(top.frames[0].wrong).toEqual([{ start: 16, bits: 1 }])
    expect(top.violation?.offset).toBe(9)
    const reserved = layoutStream(codec, { bytes: hex('81 00 a1 00'), role: 'client' })
    expect(reserved.frames[1].wrong).toMatchObject([{ kind: 'rsv2', start: 2, bits: 1 }])
  })
})
