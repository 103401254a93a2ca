import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Codec } from '../../src/codec/codec.js'
import { BUILDS } from '../reference/builds.js'
import { type DecoderLimits, ReferenceDecoder } from '../reference/decoder.js'
import { cuts, pieces, streams } from '../reference/frames.js'
import { CodecStream } from '../reference/stream.js'

/** fast-check prints the seed of a failure; CODEC_RUNS asks for a longer search. */
const numRuns = Number(process.env.CODEC_RUNS ?? 1000)

const limits: fc.Arbitrary<DecoderLimits> = fc.record({
  role: fc.constantFrom<'server' | 'client'>('server', 'server', 'client'),
  maxPayload: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1 << 20, 100, 0),
  maxFragments: fc.constantFrom(2 ** 32 - 1, 2 ** 32 - 1, 3, 1),
  deflate: fc.boolean(),
})

const conversation = limits.chain(limit => fc.tuple(fc.constant(limit), streams(limit.role, limit.deflate)))

function reference(limit: DecoderLimits, bytes: Uint8Array): ReferenceDecoder {
  const decoder = new ReferenceDecoder(limit)
  for (const byte of bytes) decoder.push(byte)
  return decoder
}

describe.each(BUILDS)('$name build', ({ module }) => {
  const codec = new Codec(module, 8)
  const arena = codec.readArena.length

  function decode(limit: DecoderLimits, list: readonly Uint8Array[], shift = 0): CodecStream {
    const stream = new CodecStream(codec, limit)
    try {
      for (const piece of list) stream.push(piece, codec.readOffset + shift)
    } finally {
      stream.end()
    }
    return stream
  }

  it('finds what the reference finds, in whatever pieces the bytes come', () => {
    fc.assert(
      fc.property(conversation, cuts, fc.nat({ max: 63 }), ([limit, bytes], at, shift) => {
        const expected = reference(limit, bytes)
        const whole = decode(limit, pieces(bytes, [], arena))
        const cut = decode(limit, pieces(bytes, at, arena - shift), shift)
        for (const stream of [whole, cut]) {
          expect(stream.violation).toEqual(expected.violation)
          expect(stream.frames).toEqual(expected.frames)
        }
      }),
      { numRuns },
    )
  })

  it('finds the same byte by byte', () => {
    fc.assert(
      fc.property(conversation, ([limit, bytes]) => {
        const some = bytes.subarray(0, 2000)
        const expected = reference(limit, some)
        const stream = decode(limit, pieces(some, [], 1))
        expect(stream.violation).toEqual(expected.violation)
        expect(stream.frames).toEqual(expected.frames)
      }),
      { numRuns: Math.ceil(numRuns / 4) },
    )
  })

  it('keeps connections apart that take turns', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(conversation, cuts), { minLength: 2, maxLength: 4 }), peers => {
        const running = peers.map(([[limit, bytes], at]) => ({
          stream: new CodecStream(codec, limit),
          list: pieces(bytes, at, arena),
          expected: reference(limit, bytes),
        }))
        try {
          while (running.some(({ list }) => list.length > 0)) {
            for (const { stream, list } of running) {
              const piece = list.shift()
              if (piece) stream.push(piece)
            }
          }
        } finally {
          for (const { stream } of running) stream.end()
        }
        for (const { stream, expected } of running) {
          expect(stream.violation).toEqual(expected.violation)
          expect(stream.frames).toEqual(expected.frames)
        }
      }),
      { numRuns: Math.ceil(numRuns / 4) },
    )
  })

  it('takes any bytes', () => {
    fc.assert(
      fc.property(limits, fc.uint8Array({ maxLength: 100 }), cuts, (limit, bytes, at) => {
        const expected = reference(limit, bytes)
        const stream = decode(limit, pieces(bytes, at, arena))
        expect(stream.violation).toEqual(expected.violation)
        expect(stream.frames).toEqual(expected.frames)
      }),
      { numRuns },
    )
  })
})
