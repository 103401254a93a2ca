import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { examplesOf } from '../../../page/examples.js'
import { layoutStream } from '../../../page/frame-layout.js'
import { decodeUpTo, describeFrame, describeMessage, placeOf } from '../../../page/stepping.js'
import { loadCodec } from '../../../src/codec/index.js'
import { streams } from '../../reference/frames.js'
import { hex } from '../../vectors/frames.js'

const codec = await loadCodec()

describe('byte by byte', () => {
  it('says what the decoder yields, and with which byte', () => {
    const bytes = hex('81 02 68 69 89 00 88 05 03 e8 62 79 65')
    const told = Array.from({ length: bytes.length + 1 }, (_, count) =>
      decodeUpTo(codec, bytes, count, 'client')
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
    expect(decodeUpTo(codec, bytes, 13, 'client').before).toHaveLength(2)
  })

  it.each(examplesOf(codec).filter(({ name }) => name.startsWith('Wrong')))(
    '$name: with the byte that the error names',
    ({ bytes, role }) => {
      const { violation } = layoutStream(codec, bytes, role)
      const at = violation?.offset ?? -1
      expect(decodeUpTo(codec, bytes, at, role)).toMatchObject({ before: [], now: [] })
      const [message] = decodeUpTo(codec, bytes, at + 1, role).now
      expect(message).toMatchObject({ type: 'error', offset: at })
      expect(describeMessage(message)).toMatch(/^ERR_\w+: .*\. The answer is a close with 10\d\d$/)
    },
  )

  it('every byte is somewhere', () => {
    fc.assert(
      fc.property(streams('server'), stream => {
        const bytes = stream as Uint8Array<ArrayBuffer>
        const layout = layoutStream(codec, bytes, 'server')
        const read = bytes.length - layout.unread
        for (let offset = 0; offset < bytes.length; offset++) {
          const pattern = offset < read ? / of frame \d+$/ : /^behind/
          if (!pattern.test(placeOf(layout, offset))) expect.unreachable(`byte ${offset}`)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('names the places', () => {
    const bytes = hex('81 fe 00 7e 37 fa 21 3d 7f')
    const layout = layoutStream(codec, bytes, 'server')
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
})
