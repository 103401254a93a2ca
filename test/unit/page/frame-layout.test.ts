import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { examplesOf } from '../../../page/examples.js'
import { type FrameLayout, layoutStream, segmentsOf, windowOf } from '../../../page/frame-layout.js'
import { loadCodec, type Role } from '../../../src/codec/index.js'
import { streams } from '../../reference/frames.js'
import { hex, VIOLATIONS } from '../../vectors/frames.js'

const codec = await loadCodec()

function layout(bytes: Uint8Array, role: Role = 'server') {
  return layoutStream(codec, { bytes: bytes as Uint8Array<ArrayBuffer>, role })
}

/** The fields that have a value, in a line each. */
function fields({ fields: all }: FrameLayout): string {
  return all.map(({ kind, start, bits, value }) => `${kind} ${start}+${bits}=${value ?? '?'}`).join(', ')
}

/** Beyond the default limit of a message. */
const LONG = ['a bad byte long before the end of its frame']
const FIRST = 'fin 0+1=1, rsv1 1+1=0, rsv2 2+1=0, rsv3 3+1=0, opcode 4+4'

describe('the fields of a frame', () => {
  it('with a short length and a key', () => {
    const { frames, violation, unread } = layout(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'))
    expect(frames.map(fields)).toEqual([`${FIRST}=1, mask 8+1=1, length 9+7=5, key 16+32=939139389`])
    expect(frames[0]).toMatchObject({
      offset: 0,
      headerLength: 6,
      payloadLength: 5n,
      end: 11,
      isComplete: true,
      payload: hex('7f 9f 4d 51 58'),
      key: hex('37 fa 21 3d'),
      unmasked: new TextEncoder().encode('Hello'),
    })
    expect({ violation, unread }).toEqual({ violation: undefined, unread: 0 })
  })

  it('with the two longer lengths', () => {
    const middle = codec.encodeMessage(new Uint8Array(256), { role: 'server' })
    expect(fields(layout(middle, 'client').frames[0])).toBe(
      `${FIRST}=2, mask 8+1=0, length 9+7=126, length16 16+16=256`,
    )
    const long = codec.encodeMessage(new Uint8Array(65_536), { role: 'client' })
    const [frame] = layout(long).frames
    expect(fields(frame)).toMatch(
      /^fin .* mask 8\+1=1, length 9\+7=127, length64 16\+64=65536, key 80\+32=\d+$/,
    )
    expect(frame).toMatchObject({ headerLength: 14, isComplete: true, end: 65_550 })
  })

  it('as far as they came', () => {
    const whole = hex('82 fe 01 00 37 fa 21 3d 7f')
    const drawn = Array.from(whole, (_, index) => fields(layout(whole.subarray(0, index + 1)).frames[0]))
    expect(drawn.slice(0, 3)).toEqual([
      `${FIRST}=2, mask 8+1=?, length 9+7=?`,
      `${FIRST}=2, mask 8+1=1, length 9+7=126, length16 16+16=?, key 32+32=?`,
      `${FIRST}=2, mask 8+1=1, length 9+7=126, length16 16+16=?, key 32+32=?`,
    ])
    const [last] = layout(whole).frames
    expect(last).toMatchObject({ isComplete: false, payloadLength: 256n, unmasked: hex('48'), end: 9 })
  })

  it('of a frame that is refused, and what follows it', () => {
    const { frames, violation, unread } = layout(hex('81 00 c1 02 68 69 81 00'), 'client')
    expect(frames.map(({ offset, end, isComplete }) => ({ offset, end, isComplete }))).toEqual([
      { offset: 0, end: 2, isComplete: true },
      { offset: 2, end: 6, isComplete: false },
    ])
    expect(frames[1].violation).toBe(violation)
    expect(violation).toMatchObject({
      offset: 2,
      error: { code: 'ERR_FRAME_RESERVED_BITS', closeCode: 1002 },
    })
    expect(unread).toBe(2)
  })

  it.each(VIOLATIONS.filter(([name, limits]) => Object.keys(limits).length === 0 && !LONG.includes(name)))(
    'of %s: the byte that decides is in the frame that is refused',
    (_, __, wire, code, at) => {
      const { frames, violation } = layout(wire)
      expect(violation).toMatchObject({ offset: at, error: { code } })
      const last = frames[frames.length - 1]
      expect(last.violation).toBe(violation)
      expect(at).toBeGreaterThanOrEqual(last.offset)
    },
  )

  it.each(['server', 'client'] as const)(
    'of any stream that a %s reads: they and the payloads are all bytes, in order',
    role => {
      fc.assert(
        fc.property(streams(role), fc.double({ min: 0, max: 1, noNaN: true }), (stream, share) => {
          const bytes = stream.subarray(0, Math.ceil(stream.length * share))
          const { frames, unread } = layout(bytes, role)
          let at = 0
          for (const frame of frames) {
            expect(frame.offset).toBe(at)
            let bit = 0
            for (const field of frame.fields) {
              expect(field.start).toBe(bit)
              bit += field.bits
            }
            expect(bit).toBe(frame.headerLength * 8)
            at = frame.end
            const length = Math.min(bytes.length - frame.offset, frame.headerLength + frame.payload.length)
            expect(at).toBe(frame.offset + length)
          }
          expect(at + unread).toBe(bytes.length)
        }),
        { numRuns: 200 },
      )
    },
  )
})

describe('the examples', () => {
  it.each(examplesOf(codec))('$name', ({ name, role, bytes }) => {
    const { frames, violation } = layout(bytes, role)
    expect(frames.length).toBeGreaterThan(0)
    expect(violation !== undefined).toBe(name.startsWith('Wrong'))
  })

  it('break different rules', () => {
    const codes = examplesOf(codec).map(({ bytes, role }) => layout(bytes, role).violation?.error.code)
    const wrong = codes.filter(code => code !== undefined)
    expect(new Set(wrong).size).toBe(wrong.length)
    expect(wrong.length).toBeGreaterThan(8)
  })
})

describe('a drawing', () => {
  it('cuts a field at the ends of rows', () => {
    expect(segmentsOf(16, 32, 32)).toEqual([
      { row: 0, column: 16, start: 16, bits: 16, part: 0 },
      { row: 1, column: 0, start: 32, bits: 16, part: 1 },
    ])
    expect(segmentsOf(16, 64, 16).map(({ row, column, bits }) => [row, column, bits])).toEqual(
      [1, 2, 3, 4].map(row => [row, 0, 16]),
    )
    expect(segmentsOf(9, 7, 32)).toEqual([{ row: 0, column: 9, start: 9, bits: 7, part: 0 }])
  })

  it('shows what should be seen, and never more than there is room for', () => {
    expect(windowOf(5, 4, 8)).toEqual({ begin: 0, end: 5 })
    expect(windowOf(100, 3, 8)).toEqual({ begin: 0, end: 8 })
    expect(windowOf(100, 99, 8)).toEqual({ begin: 92, end: 100 })
    fc.assert(
      fc.property(fc.nat(2000), fc.nat(2000), fc.constantFrom(2, 4, 8, 16), (count, place, step) => {
        const focus = Math.min(place, Math.max(0, count - 1))
        const { begin, end } = windowOf(count, focus, 32, step)
        expect(begin % step).toBe(0)
        expect(end - begin).toBeLessThanOrEqual(32)
        expect(end).toBeLessThanOrEqual(count)
        if (count > 0) expect(begin <= focus && focus < end).toBe(true)
      }),
    )
  })
})
