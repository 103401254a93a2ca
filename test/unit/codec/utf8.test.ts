import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Codec } from '../../../src/codec/codec.js'
import { UTF8_COMPLETE, UTF8_INVALID } from '../../../src/codec/events.js'
import { BUILDS } from '../../reference/builds.js'
import { pieces } from '../../reference/frames.js'
import { firstInvalidByte, ReferenceUtf8 } from '../../reference/utf8.js'

const FATAL = new TextDecoder('utf-8', { fatal: true })

/** What the platform says of the bytes as a whole. */
function isUtf8(bytes: Uint8Array): boolean {
  try {
    FATAL.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** The bytes at which something changes in the second to fourth place, and neighbours of each. */
const BOUNDARIES = [
  0x00, 0x41, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x91, 0x9f, 0xa0, 0xa1, 0xbe, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf0,
  0xf4, 0xff,
]
const ALL = Array.from({ length: 256 }, (_, byte) => byte)

/** Bytes and what TextDecoder says of them. Asking it takes microseconds where it throws: once for both builds. */
type Judged = [bytes: Uint8Array, valid: boolean]
const judged = (list: number[]): Judged => [Uint8Array.from(list), isUtf8(Uint8Array.from(list))]
const once = <T>(make: () => T) => {
  let made: T | undefined
  return () => (made ??= make())
}

const threeBytes = once(() => {
  const leads = ALL.filter(byte => byte >= 0xc0)
  const thirds = [0x41, 0x7f, 0x80, 0x9f, 0xbf, 0xc0, 0xe2, 0xff]
  return leads.flatMap(a => ALL.flatMap(b => thirds.map(c => judged([a, b, c]))))
})

const fourBytes = once(() =>
  [0xe1, 0xec, 0xed, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff].flatMap(a =>
    (a === 0xf0 || a === 0xf4 ? ALL : BOUNDARIES).flatMap(b =>
      [0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xe2].flatMap(c => BOUNDARIES.map(d => judged([a, b, c, d]))),
    ),
  ),
)

const oneOrTwoBytes = once(() =>
  [...ALL.map(a => [a]), ...ALL.flatMap(a => ALL.map(b => [a, b]))].map(judged),
)

/** The cases of which `holds` is not true, as text: `expect` for each would take too long. */
function failures(cases: readonly Judged[], holds: (bytes: Uint8Array, valid: boolean) => boolean): string[] {
  return cases
    .filter(([bytes, valid]) => !holds(bytes, valid))
    .map(([bytes, valid]) => `${valid ? 'valid' : 'invalid'} ${Buffer.from(bytes).toString('hex')}`)
}

describe('the reference', () => {
  it('agrees with TextDecoder', () => {
    const cases = [...oneOrTwoBytes(), ...threeBytes(), ...fourBytes()]
    const disagree = failures(cases, (bytes, valid) => {
      const utf8 = new ReferenceUtf8()
      return (bytes.every(byte => utf8.push(byte)) && utf8.complete) === valid
    })
    expect(disagree).toEqual([])
  })
})

describe.each(BUILDS)('$name build', ({ module }) => {
  const codec = new Codec(module, 1)
  const { memory, readOffset } = codec

  /** The index of the first invalid byte; -1 for UTF-8 as far as it goes; the state at its end. */
  function validate(list: readonly Uint8Array[], shift = 0): { invalid: number; state: number } {
    let state = UTF8_COMPLETE
    let before = 0
    for (const piece of list) {
      const offset = readOffset + shift
      memory.set(piece, offset)
      // What follows is not to be looked at.
      memory.fill(0xff, offset + piece.length, offset + piece.length + 64)
      state = codec.validateUtf8(offset, piece.length, state)
      if (state === UTF8_INVALID) return { invalid: before + codec.invalidOffset() - offset, state }
      before += piece.length
    }
    return { invalid: -1, state }
  }

  function agrees(bytes: Uint8Array, valid: boolean): boolean {
    // In the middle of a vector and with ASCII after it, too, so that it is the vectors that judge.
    const surrounded = Buffer.alloc(48, 'x')
    surrounded.set(bytes, 14)
    return [bytes, surrounded].every(each => (validate([each]).state === UTF8_COMPLETE) === valid)
  }

  it('agrees with TextDecoder on every string of one or two bytes', () => {
    expect(failures(oneOrTwoBytes(), agrees)).toEqual([])
  })

  it('agrees with TextDecoder on three bytes: every lead, every second byte, classes of the third', () => {
    expect(failures(threeBytes(), agrees)).toEqual([])
  })

  it('agrees with TextDecoder on four bytes: leads, second bytes, boundaries of the others', () => {
    expect(failures(fourBytes(), agrees)).toEqual([])
  })

  it('takes every code point', () => {
    const points: string[] = []
    for (let point = 0; point <= 0x10ffff; point++) {
      if (point < 0xd800 || point > 0xdfff) points.push(String.fromCodePoint(point))
    }
    const bytes = Buffer.from(points.join(''))
    expect(validate(pieces(bytes, [], 60_000))).toEqual({ invalid: -1, state: UTF8_COMPLETE })
  })

  it('finds a fault at every place around the borders of vectors and blocks', () => {
    const missed: string[] = []
    for (const character of ['é', '語', '🎈', '\u{10ffff}'].map(text => Buffer.from(text))) {
      for (let at = 0; at <= 150; at++) {
        const before = Buffer.alloc(at, 'x')
        const after = Buffer.alloc((at * 7) % 90, 'y')
        for (const wrong of [0x80, 0xc0, 0xf5, 0xff, 0x28]) {
          for (let i = 0; i <= character.length; i++) {
            const bytes = Buffer.concat([before, character, character, after])
            bytes[at + i] = wrong
            if (validate([bytes]).invalid !== firstInvalidByte(bytes)) missed.push(bytes.toString('hex'))
          }
        }
      }
    }
    expect(missed).toEqual([])
  })

  const texts = fc.array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({
        unit: fc.constantFrom('é', '語', '🎈', '\u{10ffff}', 'ࠀ', '\ud7ff', '\ue000'),
        maxLength: 60,
      }),
      fc.nat({ max: 150 }).map(length => 'x'.repeat(length)),
    ),
    { maxLength: 12 },
  )
  const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 })

  it('finds the first invalid byte of long texts with one byte corrupted, whole and in pieces', () => {
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(
        texts,
        fc.option(fc.tuple(share, fc.nat({ max: 255 })), { freq: 4 }),
        shares,
        fc.nat({ max: 31 }),
        (list, corruption, at, shift) => {
          const bytes = Buffer.from(list.join(''))
          if (corruption) bytes[Math.floor(corruption[0] * bytes.length)] = corruption[1]
          const invalid = firstInvalidByte(bytes)
          const whole = validate([bytes], shift)
          expect(whole.invalid).toBe(invalid)
          expect(whole.state === UTF8_COMPLETE).toBe(isUtf8(bytes))
          expect(validate(pieces(bytes, at, 60_000), shift)).toEqual(whole)
          expect(validate(pieces(bytes, [], 1), shift)).toEqual(whole)
        },
      ),
      { numRuns: 1500 },
    )
  })

  it('carries a state for each open sequence', () => {
    const states = [[0xc3], [0xe1], [0xf1], [0xe0], [0xed], [0xf0], [0xf4]].map(
      bytes => validate([Buffer.from(bytes)]).state,
    )
    expect(states).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(validate([Buffer.from([0xf4]), Buffer.alloc(0), Buffer.from([0x90])])).toEqual({
      invalid: 1,
      state: 8,
    })
  })

  it('stays invalid', () => {
    memory.fill('a', readOffset, readOffset + 100)
    expect(codec.validateUtf8(readOffset, 100, UTF8_INVALID)).toBe(UTF8_INVALID)
    expect(codec.validateUtf8(readOffset, 0, UTF8_INVALID)).toBe(UTF8_INVALID)
  })
})
