// The decoder of shardws/codec against the reference. These tests run in Node and in Chromium.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CompressedMessage,
  type Decoder,
  type Frame,
  loadCodec,
  type Message,
  type Violation,
} from '../../src/codec/index.js'
import { frameError } from '../../src/errors.js'
import { type DecoderLimits, ReferenceDecoder } from '../reference/decoder.js'
import { characters, cuts, frameBytes, joined, pieces, streams } from '../reference/frames.js'
import { ALLOWED, EXAMPLES, hex, masked, SERVER, text, VIOLATIONS } from '../vectors/frames.js'

const numRuns = 300
/** What the decoder takes as a limit at most. */
const MOST = 536_870_888
const KEY = [1, 2, 3, 4]

const codec = await loadCodec()

function bytesOf(string: string): Uint8Array {
  return Uint8Array.from(string, character => character.charCodeAt(0))
}

function within(limits: DecoderLimits): DecoderLimits {
  return { ...limits, maxPayload: Math.min(limits.maxPayload, MOST) }
}

function reference(limits: DecoderLimits, bytes: Uint8Array): ReferenceDecoder {
  const decoder = new ReferenceDecoder(within(limits))
  for (const byte of bytes) decoder.push(byte)
  return decoder
}

function pushAll<Item>(decoder: Decoder<Item>, list: readonly Uint8Array[]): Item[] {
  return list.flatMap(piece => decoder.push(piece as Uint8Array<ArrayBuffer>))
}

function errorFacts({ type, error, offset }: Violation) {
  return { type, name: error.name, code: error.code, closeCode: error.closeCode, offset }
}

function expectedViolation({ violation }: ReferenceDecoder) {
  if (violation === undefined) return []
  return [errorFacts({ type: 'error', error: frameError(violation.error), offset: violation.at })]
}

/** What a decoder of frames must find. */
function expectedFrames(decoder: ReferenceDecoder) {
  const frames = decoder.frames.map(({ opcode, fin, start, compressed, payload }) => ({
    opcode: start ? opcode : 0,
    fin,
    rsv1: start && compressed,
    payload,
  }))
  return [...frames, ...expectedViolation(decoder)]
}

function frameFacts(items: readonly (Frame | Violation)[]) {
  return items.map(item =>
    item.type === 'error'
      ? errorFacts(item)
      : { opcode: item.opcode, fin: item.fin, rsv1: item.rsv1, payload: characters(item.payload) },
  )
}

/** What a decoder of messages must find. */
function expectedMessages(decoder: ReferenceDecoder) {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
  const messages: object[] = []
  let data = ''
  for (const { opcode, fin, compressed, payload } of decoder.frames) {
    if (opcode === 8) {
      const reason = utf8.decode(bytesOf(payload.slice(2)))
      const code = payload === '' ? 1005 : payload.charCodeAt(0) * 256 + payload.charCodeAt(1)
      return [...messages, { type: 'close', code, reason }]
    }
    if (opcode > 8) messages.push({ type: opcode === 9 ? 'ping' : 'pong', data: payload })
    else {
      data += payload
      if (!fin) continue
      if (compressed) messages.push({ type: 'compressed', binary: opcode === 2, data })
      else
        messages.push(
          opcode === 1 ? { type: 'text', data: utf8.decode(bytesOf(data)) } : { type: 'binary', data },
        )
      data = ''
    }
  }
  return [...messages, ...expectedViolation(decoder)]
}

function messageFacts(items: readonly (Message | CompressedMessage)[]) {
  return items.map(item => {
    if (item.type === 'error') return errorFacts(item)
    return 'data' in item && typeof item.data !== 'string' ? { ...item, data: characters(item.data) } : item
  })
}

function decodeBoth(limits: DecoderLimits, list: readonly Uint8Array[]) {
  const frames = codec.createDecoder({ ...within(limits), messages: false })
  const messages = codec.createDecoder(within(limits))
  return { frames: frameFacts(pushAll(frames, list)), messages: messageFacts(pushAll(messages, list)) }
}

describe.each([
  ['at once', 2 ** 20],
  ['byte by byte', 1],
])('%s', (_, longest) => {
  it.each(EXAMPLES)('%s', (_name, limits, wire) => {
    const expected = reference(limits, wire)
    const found = decodeBoth(limits, pieces(wire, [], longest))
    expect(found).toEqual({ frames: expectedFrames(expected), messages: expectedMessages(expected) })
    expect(found.frames.length).toBeGreaterThan(0)
  })

  it.each(VIOLATIONS)('refuses %s', (_name, partial, wire, code, at) => {
    const limits = { ...SERVER, ...partial }
    const followed = joined([wire, masked({ opcode: 1, payload: text('never') })])
    const expected = reference(limits, followed)
    const found = decodeBoth(limits, pieces(followed, [], longest))
    expect(found).toEqual({ frames: expectedFrames(expected), messages: expectedMessages(expected) })
    // Where no limit is wanted there is the largest one.
    const isSame = expected.violation?.error !== 11 || limits.maxPayload <= MOST
    if (isSame) expect(found.messages.at(-1)).toMatchObject({ type: 'error', code, offset: at })
  })

  it.each(ALLOWED)('takes %s', (_name, partial, wire) => {
    const limits = { ...SERVER, ...partial }
    const expected = reference(limits, wire)
    const found = decodeBoth(limits, pieces(wire, [], longest))
    expect(found).toEqual({ frames: expectedFrames(expected), messages: expectedMessages(expected) })
  })
})

describe('a conversation', () => {
  const limits: fc.Arbitrary<DecoderLimits> = fc.record({
    role: fc.constantFrom<'server' | 'client'>('server', 'server', 'client'),
    maxPayload: fc.constantFrom(MOST, MOST, 1 << 20, 100, 0),
    maxFragments: fc.constantFrom(2 ** 32 - 1, 2 ** 32 - 1, 3, 1),
    deflate: fc.boolean(),
  })
  const conversation = limits.chain(limit => fc.tuple(fc.constant(limit), streams(limit.role, limit.deflate)))

  it('is the same in whatever pieces it comes, and is what the reference finds', () => {
    fc.assert(
      fc.property(conversation, cuts, ([limit, bytes], at) => {
        const expected = reference(limit, bytes)
        const wanted = { frames: expectedFrames(expected), messages: expectedMessages(expected) }
        const before = bytes.slice()
        expect(decodeBoth(limit, [bytes])).toEqual(wanted)
        expect(decodeBoth(limit, pieces(bytes, at, 100_000))).toEqual(wanted)
        expect(decodeBoth(limit, pieces(bytes.subarray(0, 500), [], 1))).toEqual(
          decodeBoth(limit, [bytes.subarray(0, 500)]),
        )
        expect(characters(bytes), 'what is pushed is not changed').toBe(characters(before))
      }),
      { numRuns },
    )
  }, 60_000)

  it('does not disturb others that take turns with it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(conversation, cuts), { minLength: 2, maxLength: 4 }), peers => {
        const running = peers.map(([[limit, bytes], at]) => ({
          decoder: codec.createDecoder({ ...limit, messages: false }),
          list: pieces(bytes, at, 100_000),
          items: [] as (Frame | Violation)[],
          expected: expectedFrames(reference(limit, bytes)),
        }))
        while (running.some(({ list }) => list.length > 0)) {
          for (const { decoder, list, items } of running) items.push(...pushAll(decoder, list.splice(0, 1)))
        }
        for (const { items, expected } of running) expect(frameFacts(items)).toEqual(expected)
      }),
      { numRuns: numRuns / 3 },
    )
  }, 60_000)

  it('has frames that follow one another and that encode to the same bytes', () => {
    fc.assert(
      fc.property(conversation, cuts, ([limit, bytes], at) => {
        const decoder = codec.createDecoder({ ...limit, messages: false })
        let end = 0
        for (const item of pushAll(decoder, pieces(bytes, at, 100_000))) {
          if (item.type === 'error') continue
          const { opcode, fin, rsv1, payload, offset, headerLength, masked: isMasked } = item
          expect(offset).toBe(end)
          end = offset + headerLength + payload.length
          expect(isMasked).toBe(limit.role === 'server')
          const options = isMasked
            ? {
                role: 'client' as const,
                maskKey: bytes.slice(offset + headerLength - 4, offset + headerLength),
              }
            : { role: 'server' as const }
          const again = codec.encodeFrame({ opcode, fin, rsv1, payload }, options)
          expect(characters(again)).toBe(characters(bytes.subarray(offset, end)))
        }
      }),
      { numRuns },
    )
  }, 60_000)
})

describe('a decoder', () => {
  it('knows the error that ended it, and finds nothing after it', () => {
    const decoder = codec.createDecoder({ role: 'server' })
    expect(decoder.error).toBeUndefined()
    const [item] = decoder.push(Uint8Array.of(0xff, 0x80))
    expect(item).toMatchObject({ type: 'error', error: { closeCode: 1002 }, offset: 0 })
    expect(decoder.error?.code).toBe('ERR_FRAME_RESERVED_BITS')
    expect(decoder.push(masked({ opcode: 1 }))).toEqual([])
  })

  it('finds no message after a Close, but every frame', () => {
    const wire = masked({ opcode: 8, payload: Uint8Array.of(3, 232) }, { opcode: 1, payload: text('late') })
    const messages = codec.createDecoder({ role: 'server' })
    expect(messages.push(wire)).toEqual([{ type: 'close', code: 1000, reason: '' }])
    expect(messages.push(wire)).toEqual([])
    expect(codec.createDecoder({ role: 'server', messages: false }).push(wire)).toHaveLength(2)
  })

  it('keeps a byte order mark, which is a character', () => {
    const decoder = codec.createDecoder({ role: 'client' })
    expect(decoder.push(hex('81 04 ef bb bf 61'))).toEqual([{ type: 'text', data: '\ufeffa' }])
  })

  it('takes chunks that are longer than its arena, and messages that are', () => {
    const payload = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 7 + (i >> 9)) & 0xff)
    const wire = joined([
      frameBytes({ opcode: 2, payload, key: KEY }),
      frameBytes({ opcode: 1, payload: text('é'.repeat(400_000)), key: KEY }),
    ])
    const [binary, string, ...rest] = codec.createDecoder({ role: 'server' }).push(wire)
    expect(binary.type === 'binary' && characters(binary.data) === characters(payload)).toBe(true)
    expect(binary.type === 'binary' && binary.data.buffer.byteLength).toBe(payload.length)
    expect(string.type === 'text' && string.data === 'é'.repeat(400_000)).toBe(true)
    expect(rest).toEqual([])
  })

  it('goes on when one chunk has more frames than the table of events', () => {
    const wire = new Uint8Array(300_000)
    for (let i = 0; i < wire.length; i += 2) wire[i] = 0x82
    expect(codec.createDecoder({ role: 'client' }).push(wire)).toHaveLength(150_000)
  })

  it('is one of as many as anybody likes', () => {
    const decoders = Array.from({ length: 20_000 }, () => codec.createDecoder({ role: 'client' }))
    for (const decoder of decoders) expect(decoder.push(hex('81 05 48 65'))).toEqual([])
    for (const decoder of decoders) {
      expect(decoder.push(hex('6c 6c 6f'))).toEqual([{ type: 'text', data: 'Hello' }])
    }
  })

  it('takes any view of bytes', () => {
    const wire = hex('00 81 02 68 69 00')
    const buffer = wire.buffer
    for (const chunk of [new DataView(buffer, 1, 4), new Uint8Array(buffer, 1, 4), buffer.slice(1, 5)]) {
      expect(codec.createDecoder({ role: 'client' }).push(chunk)).toEqual([{ type: 'text', data: 'hi' }])
    }
  })

  it('does not copy what lies in the arena', () => {
    const wire = masked({ opcode: 2, payload: text('unmasked in place') })
    const at = 1000
    codec.arena.set(wire, at)
    const decoder = codec.createDecoder({ role: 'server' })
    const [item] = decoder.push(codec.arena.subarray(at, at + wire.length))
    expect(item.type === 'binary' && characters(item.data)).toBe('unmasked in place')
    expect(characters(codec.arena.subarray(at + 6, at + wire.length))).toBe('unmasked in place')
    const [frame] = codec
      .createDecoder({ role: 'client', messages: false })
      .push(codec.arena.subarray(at + 6, at + 6))
    expect(frame).toBeUndefined()
  })

  it('takes compressed messages where it is told to, and gives what their frames have', () => {
    // RFC 7692 7.2.3.1 and 7.2.3.2.
    const wire = hex('c1 07 f2 48 cd c9 c9 07 00 41 03 f2 48 cd 89 00 80 04 c9 c9 07 00 c2 01 00')
    const hello = hex('f2 48 cd c9 c9 07 00')
    const decoder = codec.createDecoder({ role: 'client', deflate: true })
    expect(decoder.push(wire)).toEqual([
      { type: 'compressed', binary: false, data: hello },
      { type: 'ping', data: new Uint8Array() },
      { type: 'compressed', binary: false, data: hello },
      { type: 'compressed', binary: true, data: hex('00') },
    ])
    const frames = codec.createDecoder({ role: 'client', deflate: true, messages: false }).push(wire)
    const bits = frames.map(frame => frame.type === 'frame' && [frame.rsv1, frame.opcode])
    expect(bits).toEqual([
      [true, 1],
      [true, 1],
      [false, 9],
      [false, 0],
      [true, 2],
    ])
    for (const deflate of [undefined, false] as const) {
      const [refused] = codec
        .createDecoder({ role: 'client', ...(deflate === false && { deflate }) })
        .push(wire)
      expect(refused).toMatchObject({
        error: { code: 'ERR_FRAME_RESERVED_BITS', closeCode: 1002 },
        offset: 0,
      })
    }
  })

  it('gives the data of a compressed message a buffer of its own', () => {
    for (const wire of [hex('c1 03 01 02 03'), hex('42 01 01 80 02 02 03')]) {
      const [item] = codec.createDecoder({ role: 'client', deflate: true }).push(wire)
      expect(item.type === 'compressed' && item.data.buffer.byteLength).toBe(3)
    }
  })

  it('has limits by default', () => {
    const big = frameBytes({ opcode: 2, length: 1_048_577n, key: KEY })
    expect(codec.createDecoder({ role: 'server' }).push(big)).toMatchObject([
      { error: { code: 'ERR_MESSAGE_TOO_BIG', closeCode: 1009 } },
    ])
    const fragments = new Uint8Array(2 * (2 ** 20 + 1))
    fragments[0] = 2
    expect(codec.createDecoder({ role: 'client' }).push(fragments)).toMatchObject([
      { error: { code: 'ERR_MESSAGE_TOO_MANY_FRAGMENTS', closeCode: 1008 } },
    ])
  })

  it.each([
    [undefined, 'role'],
    [{}, 'role must be'],
    [{ role: 'proxy' }, 'role must be'],
    [{ role: 'server', maxPayload: -1 }, 'maxPayload must be'],
    [{ role: 'server', maxPayload: MOST + 1 }, 'maxPayload must be'],
    [{ role: 'server', maxPayload: '1' }, "maxPayload must be an integer from 0 to 536870888, not '1'"],
    [{ role: 'server', maxFragments: 0 }, 'maxFragments must be'],
    [{ role: 'server', messages: 1 }, 'messages must be'],
    [{ role: 'server', deflate: 'yes' }, 'deflate must be true or false'],
    [{ role: 'server', maxPayLoad: 1 }, 'there is no option maxPayLoad'],
  ])('refuses the options %j', (options, message) => {
    expect(() => codec.createDecoder(options as never)).toThrow(message)
  })

  it('refuses what is no bytes', () => {
    const decoder = codec.createDecoder({ role: 'client' })
    for (const wrong of ['text', 5, undefined, [1, 2]]) {
      expect(() => decoder.push(wrong as never)).toThrow('ArrayBuffer')
    }
  })
})
