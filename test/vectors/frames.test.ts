import { describe, expect, it } from 'vitest'
import { Codec } from '../../src/codec/codec.js'
import { frameError } from '../../src/errors.js'
import { BUILDS } from '../reference/builds.js'
import { type DecoderLimits, ReferenceDecoder } from '../reference/decoder.js'
import { joined } from '../reference/frames.js'
import { CodecStream } from '../reference/stream.js'
import { ALLOWED, EXAMPLES, hex, masked, SERVER, text, VIOLATIONS } from './frames.js'

describe.each(BUILDS)('$name build', ({ module }) => {
  const codec = new Codec(module, 1)

  function decode(limits: DecoderLimits, wire: Uint8Array, longest: number): CodecStream {
    const stream = new CodecStream(codec, limits)
    for (let at = 0; at < wire.length; at += longest) stream.push(wire.subarray(at, at + longest))
    stream.end()
    return stream
  }

  describe.each([
    ['at once', 65_536],
    ['byte by byte', 1],
  ])('%s', (_, longest) => {
    it.each(EXAMPLES)('%s', (_name, limits, wire, frames) => {
      expect(decode(limits, wire, longest).frames).toEqual(frames)
    })

    it.each(VIOLATIONS)('refuses %s', (_name, limits, wire, code, at) => {
      // What follows a violation is not looked at.
      const followed = joined([wire, masked({ opcode: 1, payload: text('never') })])
      const { violation, frames } = decode({ ...SERVER, ...limits }, followed, longest)
      expect(violation && frameError(violation.error).code).toBe(code)
      expect(violation?.at).toBe(at)
      expect(frames).not.toContainEqual(expect.objectContaining({ payload: 'never' }))
    })

    it.each(VIOLATIONS)('refuses %s after valid messages, which it delivers', (_name, limits, wire, code) => {
      const before = limits.role === 'client' ? hex('81 00') : masked({ opcode: 1 }, { opcode: 9 })
      const { violation, frames } = decode({ ...SERVER, ...limits }, joined([before, wire]), longest)
      expect(violation && frameError(violation.error).code).toBe(code)
      expect(frames.length).toBeGreaterThanOrEqual(limits.role === 'client' ? 1 : 2)
    })

    it.each(ALLOWED)('takes %s', (_name, limits, wire, frames) => {
      const stream = decode({ ...SERVER, ...limits }, wire, longest)
      expect(stream.violation).toBeUndefined()
      expect(stream.frames).toHaveLength(frames)
    })
  })
})

function reference(limits: Partial<DecoderLimits>, wire: Uint8Array): ReferenceDecoder {
  const decoder = new ReferenceDecoder({ ...SERVER, ...limits })
  for (const byte of wire) decoder.push(byte)
  return decoder
}

describe('the reference', () => {
  it.each(VIOLATIONS)('refuses %s', (_name, limits, wire, code, at) => {
    const { violation } = reference(limits, wire)
    expect(violation && frameError(violation.error).code).toBe(code)
    expect(violation?.at).toBe(at)
  })

  it.each(ALLOWED)('takes %s', (_name, limits, wire, frames) => {
    const decoder = reference(limits, wire)
    expect(decoder.violation).toBeUndefined()
    expect(decoder.frames).toHaveLength(frames)
  })
})
