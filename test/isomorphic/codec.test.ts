// shardws/codec but for its decoders. These tests run in Node and in Chromium.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acceptKey,
  CloseCode,
  type EncodeOptions,
  FrameCodec,
  isValidCloseCode,
  isValidKey,
  LimitError,
  loadCodec,
  loadCodecSync,
  Opcode,
  OptionError,
  PeerError,
  parseExtensions,
  StateError,
  serializeExtensions,
} from '../../src/codec/index.js'
import { CODEC_WASM } from '../../src/codec/inlined.js'
import { frameBytes } from '../reference/frames.js'
import { ReferenceUtf8 } from '../reference/utf8.js'
import { hex } from '../vectors/frames.js'

const codec = await loadCodec()
const wasm = Uint8Array.from(atob(CODEC_WASM), character => character.charCodeAt(0))
const asServer: EncodeOptions = { role: 'server' }
const maskKey = hex('37 fa 21 3d')
const asClient: EncodeOptions = { role: 'client', maskKey }

function assertWorks(made: FrameCodec): void {
  expect(made).toBeInstanceOf(FrameCodec)
  expect(made.createDecoder({ role: 'client' }).push(hex('81 02 68 69'))).toEqual([
    { type: 'text', data: 'hi' },
  ])
}

describe('loading', () => {
  const response = (init?: ResponseInit) => new Response(wasm, init)
  const asWasm = { headers: { 'content-type': 'application/wasm' } }

  it.each([
    ['what is built in', () => undefined],
    ['bytes', () => wasm],
    ['an ArrayBuffer', () => wasm.buffer],
    ['a module', () => new WebAssembly.Module(wasm)],
    ['a response', () => response(asWasm)],
    ['a response of another type', () => response()],
    ['a promise of a response', async () => response(asWasm)],
    ['something like a response', () => ({ ok: true, status: 200, arrayBuffer: async () => wasm.buffer })],
  ])('%s', async (_name, source) => {
    assertWorks(await loadCodec(source()))
  })

  it('at once', () => {
    assertWorks(loadCodecSync())
    assertWorks(loadCodecSync(wasm))
    assertWorks(loadCodecSync(new WebAssembly.Module(wasm)))
    assertWorks(new FrameCodec(new WebAssembly.Module(wasm)))
  })

  it('gives instances of their own', async () => {
    const [one, other] = [await loadCodec(), await loadCodec()]
    one.arena.fill(7)
    expect(other.arena[0]).toBe(0)
  })

  it('refuses errors, other modules and other things', async () => {
    const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
    const wrong = { code: 'ERR_CODEC_SOURCE' }
    await expect(loadCodec(response({ ...asWasm, status: 404 }))).rejects.toMatchObject(wrong)
    await expect(loadCodec(response({ status: 500 }))).rejects.toMatchObject(wrong)
    await expect(loadCodec(empty)).rejects.toMatchObject(wrong)
    expect(() => loadCodecSync(empty)).toThrow(StateError)
    for (const source of ['codec.wasm', 5, {}, response()]) {
      expect(() => loadCodecSync(source as never)).toThrow('give')
    }
    await expect(loadCodec('codec.wasm')).rejects.toMatchObject(wrong)
    await expect(loadCodec(wasm.slice(0, 100))).rejects.toThrow(WebAssembly.CompileError)
  })
})

describe('encoding', () => {
  it('gives the examples of RFC 6455 5.7', () => {
    expect(codec.encodeMessage('Hello', asServer)).toEqual(hex('81 05 48 65 6c 6c 6f'))
    expect(codec.encodeMessage('Hello', asClient)).toEqual(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'))
    expect(codec.encodeFrame({ opcode: 1, payload: 'Hel', fin: false }, asServer)).toEqual(
      hex('01 03 48 65 6c'),
    )
    expect(codec.encodeFrame({ opcode: 0, payload: 'lo' }, asServer)).toEqual(hex('80 02 6c 6f'))
    expect(codec.encodeFrame({ opcode: 9, payload: 'Hello' }, asServer)).toEqual(hex('89 05 48 65 6c 6c 6f'))
    expect(codec.encodeMessage(new Uint8Array(256), asServer).subarray(0, 5)).toEqual(hex('82 7e 01 00 00'))
    const long = codec.encodeMessage(new Uint8Array(65_536), asServer)
    expect(long.subarray(0, 11)).toEqual(hex('82 7f 00 00 00 00 00 01 00 00 00'))
  })

  it('is what the reference encodes, masked or not, and changes nothing of what is encoded', () => {
    const lengths = [0, 1, 3, 4, 125, 126, 65_535, 65_536, 262_144, 262_147, 600_001]
    for (const length of lengths) {
      const payload = Uint8Array.from({ length }, (_, i) => (i * 13) & 0xff)
      const before = payload.slice()
      for (const options of [asServer, asClient]) {
        const encoded = codec.encodeFrame({ opcode: 2, payload, fin: false, rsv1: true }, options)
        const key = options.role === 'client' ? [...maskKey] : undefined
        const expected = frameBytes({ opcode: 2, payload, fin: false, reserved: 0x40, key })
        expect(isSame(encoded, expected), `${length} bytes of a ${options.role}`).toBe(true)
        expect(isSame(payload, before)).toBe(true)
      }
    }
  })

  function isSame(one: Uint8Array, other: Uint8Array): boolean {
    return one.length === other.length && one.every((byte, i) => byte === other[i])
  }

  it('of messages says what bytes are, and that they are compressed', () => {
    const bytes = hex('f2 48 cd c9 c9 07 00')
    expect(codec.encodeMessage(bytes, { ...asServer, binary: false, rsv1: true })).toEqual(
      hex('c1 07 f2 48 cd c9 c9 07 00'),
    )
    expect(codec.encodeMessage(bytes, { ...asServer, rsv1: true })).toEqual(hex('c2 07 f2 48 cd c9 c9 07 00'))
    expect(codec.encodeMessage(hex('68 69'), { ...asServer, binary: false })).toEqual(hex('81 02 68 69'))
    expect(codec.encodeMessage('hi', { ...asServer, binary: true })).toEqual(hex('82 02 68 69'))
    const decoder = codec.createDecoder({ role: 'server', deflate: true })
    expect(decoder.push(codec.encodeMessage(bytes, { ...asClient, rsv1: true }))).toEqual([
      { type: 'compressed', binary: true, data: bytes },
    ])
  })

  it('masks with another key each time', () => {
    const keys = Array.from({ length: 500 }, () =>
      codec.encodeMessage('', { role: 'client' }).subarray(2).join(' '),
    )
    // Two of 500 are alike once in 34,000 runs, three of them never.
    expect(new Set(keys).size).toBeGreaterThan(498)
  })

  it('of Close frames has the code and the reason', () => {
    expect(codec.encodeClose(1000, '', asServer)).toEqual(hex('88 02 03 e8'))
    expect(codec.encodeClose(4000, 'é', asServer)).toEqual(hex('88 04 0f a0 c3 a9'))
    expect(codec.encodeClose(CloseCode.NO_STATUS, '', asServer)).toEqual(hex('88 00'))
    const decoder = codec.createDecoder({ role: 'server' })
    expect(decoder.push(codec.encodeClose(1001, 'bye', { role: 'client' }))).toEqual([
      { type: 'close', code: 1001, reason: 'bye' },
    ])
  })

  it('refuses what must not be sent', () => {
    const wrong: [string, () => unknown][] = [
      ['ERR_CLOSE_CODE', () => codec.encodeClose(1006, '', asServer)],
      ['ERR_CLOSE_CODE', () => codec.encodeClose(1005, 'why', asServer)],
      ['ERR_CLOSE_REASON', () => codec.encodeClose(1000, 'é'.repeat(62), asServer)],
      ['ERR_CONTROL_TOO_LONG', () => codec.encodeFrame({ opcode: 9, payload: 'x'.repeat(126) }, asServer)],
      ['ERR_OPTION', () => codec.encodeFrame({ opcode: 10, fin: false }, asServer)],
      ['ERR_OPTION', () => codec.encodeFrame({ opcode: 3 }, asServer)],
      ['ERR_OPTION', () => codec.encodeFrame({ opcode: 1, data: 'x' } as never, asServer)],
      ['ERR_OPTION', () => codec.encodeFrame({ opcode: 0, rsv1: true }, asServer)],
      ['ERR_OPTION', () => codec.encodeFrame({ opcode: 9, rsv1: true }, asServer)],
      ['ERR_OPTION', () => codec.encodeFrame({ opcode: 1, rsv1: 1 as never }, asServer)],
      ['ERR_OPTION', () => codec.encodeMessage('x', { ...asServer, rsv1: true })],
      ['ERR_OPTION', () => codec.encodeMessage('x', { ...asServer, binary: 'no' as never })],
      ['ERR_OPTION', () => codec.encodeMessage('x', { ...asServer, opcode: 1 } as never)],
      ['ERR_OPTION', () => codec.encodeMessage('x', undefined as never)],
      ['ERR_OPTION', () => codec.encodeMessage('x', {} as never)],
      ['ERR_OPTION', () => codec.encodeMessage('x', { role: 'server', maskKey })],
      ['ERR_OPTION', () => codec.encodeMessage('x', { role: 'client', maskKey: new Uint8Array(3) })],
      ['ERR_CODEC_BYTES', () => codec.encodeMessage(5 as never, asServer)],
      ['ERR_CODEC_BYTES', () => codec.mask('x' as never, maskKey)],
      ['ERR_OPTION', () => codec.mask(new Uint8Array(1), maskKey, -1)],
    ]
    for (const [code, call] of wrong) {
      expect(call, code).toThrow(expect.objectContaining({ code }) as never)
    }
  })

  it('and decoding are each other’s reverse', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array())), messages => {
        for (const role of ['client', 'server'] as const) {
          const decoder = codec.createDecoder({ role: role === 'client' ? 'server' : 'client' })
          const found = messages.flatMap(message =>
            decoder.push(codec.encodeMessage(message as string, { role })),
          )
          expect(found).toEqual(
            messages.map(data => ({ type: typeof data === 'string' ? 'text' : 'binary', data })),
          )
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('masking', () => {
  it('XORs in place, in pieces as at once, in the arena and elsewhere', () => {
    for (const length of [0, 1, 5, 64, 65, 1000, 16_384, 16_385, 32_768, 262_145, 600_001]) {
      const plain = Uint8Array.from({ length }, (_, i) => (i * 31 + 5) & 0xff)
      const wanted = plain.map((byte, i) => byte ^ maskKey[i % 4])
      const whole = plain.slice()
      codec.mask(whole, maskKey)
      const half = plain.slice()
      const cut = Math.floor(length / 3)
      codec.mask(half.subarray(0, cut), maskKey)
      codec.mask(half.subarray(cut), maskKey, cut)
      for (const found of [whole, half]) expect(found.every((byte, i) => byte === wanted[i])).toBe(true)
      if (length > codec.arena.length) continue
      const here = codec.arena.subarray(0, length)
      here.set(plain)
      codec.mask(here, maskKey)
      expect(here.every((byte, i) => byte === wanted[i])).toBe(true)
    }
  })

  it('touches nothing beside a view', () => {
    const bytes = new Uint8Array(20)
    codec.mask(new DataView(bytes.buffer, 3, 9), maskKey)
    expect(bytes.map((byte, i) => (i >= 3 && i < 12 ? byte ^ maskKey[(i - 3) % 4] : byte))).toEqual(
      new Uint8Array(20),
    )
  })
})

describe('UTF-8', () => {
  it('is what the reference says', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 8 }),
          fc.string({ unit: 'binary' }).map(string => new TextEncoder().encode(string)),
        ),
        bytes => {
          const utf8 = new ReferenceUtf8()
          const isValid = bytes.every(byte => utf8.push(byte)) && utf8.complete
          expect(codec.isValidUtf8(bytes)).toBe(isValid)
          codec.arena.set(bytes, 100)
          expect(codec.isValidUtf8(codec.arena.subarray(100, 100 + bytes.length))).toBe(isValid)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('may be longer than the arena, with a character across its end', () => {
    const bytes = new TextEncoder().encode(`a${'é'.repeat(200_000)}`)
    expect(codec.isValidUtf8(bytes)).toBe(true)
    expect(codec.isValidUtf8(bytes.subarray(0, -1))).toBe(false)
    bytes[300_000] = 0xff
    expect(codec.isValidUtf8(bytes)).toBe(false)
  })
})

describe('the handshake', () => {
  it('has the accept key of RFC 6455 1.3', () => {
    expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(isValidKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe(true)
    expect(isValidKey('short')).toBe(false)
    expect(() => acceptKey('short')).toThrow(StateError)
  })

  it('has extensions that are parsed and printed', () => {
    const value = 'permessage-deflate; client_max_window_bits; server_max_window_bits=10, x'
    const extensions = parseExtensions(value) ?? []
    expect(extensions.map(({ name }) => name)).toEqual(['permessage-deflate', 'x'])
    expect(serializeExtensions(extensions)).toBe(value)
    expect(parseExtensions('a; =')).toBeUndefined()
  })

  it.each([
    [{ name: 'a b', parameters: [] }],
    [{ name: '', parameters: [] }],
    [{ name: 'x', parameters: [{ name: 'p', value: 'a\r\nSet-Cookie: b' }] }],
    [{ name: 'x', parameters: [{ name: 'p;q', value: undefined }] }],
  ])('does not print %j', extension => {
    expect(() => serializeExtensions([extension])).toThrow(
      expect.objectContaining({ code: 'ERR_STATE_EXTENSION' }) as never,
    )
  })
})

it('has the numbers of the RFC and errors of its classes', () => {
  expect([Opcode.TEXT, CloseCode.MESSAGE_TOO_BIG, isValidCloseCode(1005)]).toEqual([1, 1009, false])
  const decoder = codec.createDecoder({ role: 'client', maxPayload: 1 })
  decoder.push(hex('81 02'))
  expect(decoder.error).toBeInstanceOf(LimitError)
  expect(decoder.error).toBeInstanceOf(PeerError)
  expect(() => codec.createDecoder({} as never)).toThrow(OptionError)
})
