import { constants, deflateRawSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import type { Compression } from '../../../src/connection/compression.js'
import { MessageInflater } from '../../../src/connection/message-inflater.js'
import {
  AGREEMENT,
  compressed,
  deflateMessage,
  deflateOptions,
  parseCompressedFrames,
} from '../../support/compressed-frames.js'
import { brief, open, outcome } from '../../support/compressing-shard.js'
import { BINARY, frame, text } from '../../support/frames.js'
import { MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { continuation, ping } from '../../support/peer-frames.js'
import { Random } from '../../support/random.js'

describe('the examples of RFC 7692 7.2.3', () => {
  it.each([
    ['7.2.3.1, one frame', compressed('f2 48 cd c9 c9 07 00')],
    [
      '7.2.3.1, two frames',
      Buffer.concat([
        compressed('f2 48 cd', 1, { fin: false }),
        continuation(Buffer.from('c9c90700', 'hex')),
      ]),
    ],
    ['7.2.3.3, a stored block', compressed('00 05 00 fa ff 48 65 6c 6c 6f 00')],
    ['7.2.3.4, a final block', compressed('f3 48 cd c9 c9 07 00 00')],
    ['7.2.3.5, two blocks', compressed('f2 48 05 00 00 00 ff ff ca c9 c9 07 00')],
  ])('%s', (_, bytes) => {
    for (const agreement of [{}, { clientNoContextTakeover: true }]) {
      expect(outcome(bytes, { agreement })).toEqual(['Hello'])
      expect(outcome(bytes, { agreement }, 1)).toEqual(['Hello'])
    }
  })

  it('7.2.3.2, the window goes on', () => {
    const bytes = Buffer.concat([compressed('f2 48 cd c9 c9 07 00'), compressed('f2 00 11 00 00')])
    expect(outcome(bytes)).toEqual(['Hello', 'Hello'])
    // Where it was agreed not to, nobody remembers what it refers to.
    expect(outcome(bytes, { agreement: { clientNoContextTakeover: true } })).toEqual(['Hello', 1007])
  })

  it('7.2.3.6, an empty message', () => {
    expect(outcome(compressed('00'))).toEqual([''])
    expect(outcome(compressed('00', BINARY))).toEqual([Buffer.alloc(0)])
    expect(outcome(compressed(''))).toEqual([''])
  })

  it('are what is sent', async () => {
    const { connection, transport } = open()
    connection.send('Hello')
    connection.send('Hello')
    await turnEnd()
    const payloads = parseCompressedFrames(transport.sent).map(({ payload }) => payload.toString('hex'))
    expect(payloads).toEqual(['f248cdc9c90700', 'f200110000'])
  })
})

describe('a compressed message', () => {
  it('may be in fragments, with Pings between them', () => {
    const payload = deflateMessage('añ€😀'.repeat(1000))
    const bytes = Buffer.concat([
      compressed(payload.subarray(0, 10), 1, { fin: false }),
      ping('between'),
      continuation('', { fin: false }),
      continuation(payload.subarray(10, 20), { fin: false }),
      ping(),
      continuation(payload.subarray(20)),
      text('and one that is not compressed'),
      compressed(deflateMessage('the next', { dictionary: Buffer.from('añ€😀'.repeat(1000)) })),
    ])
    const expected = [brief('añ€😀'.repeat(1000)), 'and one that is not compressed', 'the next']
    for (const size of [bytes.length, 1, 3, 7, 50]) expect(outcome(bytes, {}, size)).toEqual(expected)
  })

  it.each([1, 1000, 65_535, 65_536, 65_537, 131_072, 500_000])('of %i bytes comes as it was', length => {
    const random = new Random(length)
    const bytes = Buffer.from(Array.from({ length }, () => random.integer(0, 4)))
    const string = 'ü走😀x'.repeat(Math.ceil(length / 10))
    const stream = Buffer.concat([
      compressed(deflateMessage(bytes), BINARY),
      compressed(deflateMessage(string, { dictionary: bytes })),
    ])
    expect(outcome(stream)).toEqual([bytes, string].map(brief))
    expect(outcome(stream, { views: true })).toEqual([bytes, Buffer.from(string)].map(brief))
    expect(outcome(stream, {}, 5000)).toEqual([bytes, string].map(brief))
  })

  it('is not mixed up with the next one of the same read', () => {
    const all = Array.from({ length: 50 }, (_, i) => Buffer.alloc(20, i))
    const stream = Buffer.concat(all.map(bytes => compressed(deflateMessage(bytes), BINARY)))
    expect(outcome(stream, { agreement: { clientNoContextTakeover: true } })).toEqual(all)
  })

  it('waits while the application pauses', async () => {
    const { connection, transport, messages, shard } = open()
    connection.pause()
    transport.isPaused = false
    transport.feed(Buffer.concat([compressed('f2 48 cd c9 c9 07 00'), compressed('f2 00 11 00 00')]))
    expect(messages).toEqual([])
    connection.resume()
    await turnEnd()
    expect(messages).toEqual(['Hello', 'Hello'])
    expect(shard.environment.connections.size).toBe(1)
  })
})

describe('final blocks', () => {
  const [first, second, third] = [
    'the first part, ',
    'the second part refers to the first part, ',
    'the third',
  ]
  const finalBlock = (data: string, dictionary?: Buffer): Buffer =>
    deflateRawSync(data, dictionary === undefined ? {} : { dictionary })

  it('keep the history for the next message, with and without the byte after them', () => {
    for (const after of [Buffer.of(0), Buffer.alloc(0)]) {
      const stream = Buffer.concat([
        compressed(Buffer.concat([finalBlock(first), after])),
        compressed(Buffer.concat([finalBlock(second, Buffer.from(first)), after])),
        compressed(deflateMessage(third, { dictionary: Buffer.from(first + second) })),
      ])
      expect(outcome(stream)).toEqual([first, second, third])
    }
  })

  it('inside of a message keep it for what follows', () => {
    for (const agreement of [{}, { clientNoContextTakeover: true }]) {
      const message = Buffer.concat([
        finalBlock(first),
        finalBlock(second, Buffer.from(first)),
        deflateMessage(third, { dictionary: Buffer.from(first + second) }),
      ])
      expect(outcome(compressed(message), { agreement })).toEqual([first + second + third])
    }
    const long = 'x'.repeat(100_000)
    const tail = deflateMessage(third, { dictionary: Buffer.from((second + long).slice(-32_768)) })
    const message = Buffer.concat([finalBlock(second + long), tail])
    expect(outcome(compressed(message), { agreement: { clientNoContextTakeover: true } })).toEqual([
      brief(second + long + third),
    ])
  })

  it('come 32 times in a message, not more', () => {
    const empty = Buffer.of(0x03, 0x00)
    const many = (count: number): Buffer =>
      Buffer.concat([...Array.from({ length: count }, () => empty), Buffer.of(0)])
    expect(outcome(compressed(many(32)))).toEqual([''])
    expect(outcome(compressed(many(33)))).toEqual([1007])
  })
})

describe('what is not valid ends in 1007', () => {
  it.each([
    ['a block of no kind', '06'],
    ['lengths that differ', '00 05 00 fa fe 48 65 6c 6c 6f 00'],
    ['a reference to before the beginning', 'f2 00 11 00 00'],
    ['nothing after a block', 'f2 48 cd c9 c9 07'],
    ['the end inside a stored block', '00 05 00 fa ff 48 65 6c'],
    ['the end inside a stored block that the tail completes', '00 09 00 f6 ff 48 65 6c 6c 6f'],
    ['the end inside a code', 'f2 48 cd c9'],
    ['garbage after a final block', 'f3 48 cd c9 c9 07 00 ff'],
  ])('%s', (_, payload) => {
    expect(outcome(compressed(payload, BINARY))).toEqual([1007])
    expect(outcome(compressed(payload, BINARY), {}, 1)).toEqual([1007])
    expect(outcome(compressed(payload, BINARY), { agreement: { clientNoContextTakeover: true } })).toEqual([
      1007,
    ])
  })

  it('a message that is cut anywhere', () => {
    const random = new Random(7692)
    const inflater = new MessageInflater(open().shard.environment.compression as Compression, AGREEMENT)
    const samples = [
      Buffer.from('a text of no great length '.repeat(20)),
      random.bytes(300),
      Buffer.from(Array.from({ length: 3000 }, () => random.integer(65, 90))),
    ]
    for (const sample of samples) {
      for (const options of [{}, { level: 0 }, { strategy: constants.Z_FIXED }]) {
        const whole = deflateMessage(sample, options)
        const delivered: number[] = []
        for (let length = 1; length < whole.length; length++) {
          const cut = whole.subarray(0, length)
          // The header of a stored block alone is an empty message.
          if (length === 1 && cut[0] === 0) continue
          inflater.grant()
          if (inflater.inflate(cut, 0, length, false)?.closeCode !== 1007) delivered.push(length)
        }
        expect(delivered).toEqual([])
      }
    }
  })

  it('text that is not UTF-8, once it is inflated', () => {
    expect(outcome(compressed(deflateMessage(Buffer.from('é').subarray(0, 1))))).toEqual([1007])
    expect(outcome(compressed(deflateMessage(Buffer.of(0x61, 0xff, 0x61))))).toEqual([1007])
    const long = Buffer.concat([Buffer.alloc(65_535, 'x'), Buffer.from('é')])
    expect(outcome(compressed(deflateMessage(long)))).toEqual([brief(long.toString())])
    long[long.length - 1] = 0x61
    expect(outcome(compressed(deflateMessage(long)))).toEqual([1007])
    expect(outcome(compressed(deflateMessage(long), BINARY))).toEqual([brief(long)])
    // The compressed bytes are not text.
    expect(outcome(compressed(deflateMessage('ok'), 1))).toEqual(['ok'])
  })

  it('tells the close hook', () => {
    const closes: string[] = []
    const shard = new MemoryShard(
      { close: (_socket, code, reason) => void closes.push(`${code} ${reason}`) },
      { perMessageDeflate: deflateOptions() },
    )
    const { transport } = shard.connect(undefined, AGREEMENT)
    transport.feed(compressed('06'))
    transport.destroy()
    transport.pump()
    expect(closes).toEqual([expect.stringMatching(/^1007 the compressed data/)])
    expect(shard.log.join()).toContain('ERR_INVALID_DEFLATE')
  })
})

describe('RSV1', () => {
  it.each([
    ['where nothing was negotiated', undefined, compressed('00')],
    ['in a continuation', AGREEMENT, Buffer.concat([text('a', { fin: false }), frame(0, 'b', { rsv: 4 })])],
    [
      'in a continuation of a compressed message',
      AGREEMENT,
      Buffer.concat([compressed('f2', 1, { fin: false }), frame(0, 'b', { rsv: 4 })]),
    ],
    ['in a Ping', AGREEMENT, frame(9, '', { rsv: 4 })],
    ['in a Close frame', AGREEMENT, frame(8, '', { rsv: 4 })],
    ['with RSV2', AGREEMENT, frame(1, '', { rsv: 6 })],
    ['but RSV3', AGREEMENT, frame(1, '', { rsv: 1 })],
  ])('%s is 1002', (_, agreement, bytes) => {
    const shard = new MemoryShard({}, { perMessageDeflate: deflateOptions() })
    const { transport } = shard.connect(undefined, agreement)
    transport.feed(bytes)
    shard.environment.turn.flush()
    expect(parseCompressedFrames(transport.sent).at(-1)?.payload.readUInt16BE(0)).toBe(1002)
  })
})

describe('maxPayload', () => {
  const options = { maxPayload: 100_000 }

  it('is about what a message inflates to', () => {
    for (const length of [99_999, 100_000]) {
      const bytes = Buffer.alloc(length, 'x')
      expect(outcome(compressed(deflateMessage(bytes), BINARY), { options })).toEqual([brief(bytes)])
    }
    expect(outcome(compressed(deflateMessage(Buffer.alloc(100_001)), BINARY), { options })).toEqual([1009])
    expect(outcome(compressed('00'), { options: { maxPayload: 0 } })).toEqual([''])
    expect(outcome(compressed(deflateMessage('x')), { options: { maxPayload: 0 } })).toEqual([1009])
  })

  it('leaves room for what zlib adds to bytes that can not be compressed', () => {
    const bytes = new Random(1).bytes(100_000)
    for (const level of [0, 1, 6]) {
      const message = deflateMessage(bytes, { level, memLevel: 1 })
      expect(message.length).toBeGreaterThan(100_000)
      expect(outcome(compressed(message, BINARY), { options })).toEqual([brief(bytes)])
    }
  })

  it('refuses what announces much more, at the header', () => {
    const announced = compressed('', BINARY, { announced: 100_000 + 12_500 + 1025 })
    expect(outcome(announced, { options })).toEqual([1009])
  })

  it('is exceeded on the wire without a new buffer for each fragment', async () => {
    const maxPayload = 65_536
    const most = maxPayload + maxPayload / 8 + 1024
    const fragment = (_: unknown, i: number) =>
      i === 0 ? compressed('00', BINARY, { fin: false }) : continuation('x', { fin: false })
    const bytes = Buffer.concat(Array.from({ length: most }, fragment))
    const { transport, shard } = open({ options: { maxPayload } })
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow')
    for (let at = 0; at < bytes.length; at += 10_000) transport.feed(bytes.subarray(at, at + 10_000))
    const large = allocate.mock.calls.filter(([size]) => size > maxPayload / 2)
    allocate.mockRestore()
    expect(large.length).toBeLessThan(5)
    transport.feed(continuation('x'))
    shard.environment.turn.flush()
    expect(parseCompressedFrames(transport.sent).at(-1)?.payload.readUInt16BE(0)).toBe(1009)
  })

  it('stops a bomb: a gigabyte of zeros costs no more than it allows', () => {
    const zeros = Buffer.alloc(64 * 1024 * 1024)
    const part = deflateMessage(zeros, { level: 9 })
    const flushed = Buffer.concat([part, Buffer.of(0, 0, 0xff, 0xff)])
    const bomb = Buffer.concat([...Array.from({ length: 15 }, () => flushed), part])
    expect(bomb.length).toBeLessThan(1_150_000)
    const { transport, messages, shard } = open({ options: { maxPayload: 2 ** 20 } })
    const memory = process.memoryUsage()
    // Of the processor's time, which other processes do not lengthen.
    const before = process.cpuUsage()
    transport.feed(compressed(bomb, BINARY), 200_000)
    const { user, system } = process.cpuUsage(before)
    const grown = process.memoryUsage().arrayBuffers - memory.arrayBuffers
    shard.environment.turn.flush()
    expect(parseCompressedFrames(transport.sent).at(-1)?.payload.readUInt16BE(0)).toBe(1009)
    expect(messages).toEqual([])
    expect((user + system) / 1000).toBeLessThan(500)
    expect(grown).toBeLessThan(16 * 2 ** 20)
  })
})

describe('the window of the client', () => {
  it.each([8, 9, 10, 11, 12, 13, 14, 15])('of %i bits is kept from message to message', bits => {
    const random = new Random(bits)
    const agreement = { clientMaxWindowBits: bits }
    const sent: Buffer[] = []
    const frames: Buffer[] = []
    let before = Buffer.alloc(0)
    for (let i = 0; i < 60; i++) {
      const words = ['one ', 'two ', 'three ', 'four ', String(random.integer(0, 1000))]
      const message = Buffer.from(
        Array.from({ length: random.integer(1, 80) }, () => random.pick(words)).join(''),
      )
      sent.push(message)
      const dictionary = before.subarray(-(2 ** bits))
      frames.push(
        compressed(
          deflateMessage(message, { windowBits: bits, ...(dictionary.length > 0 && { dictionary }) }),
          2,
        ),
      )
      before = Buffer.concat([before, message])
    }
    expect(outcome(Buffer.concat(frames), { agreement })).toEqual(sent.map(brief))
    expect(outcome(Buffer.concat(frames), { agreement }, 111)).toEqual(sent.map(brief))
    // Each with another stream of zlib's, which knows of the ones before what it is told.
    const { shard, transport, messages } = open({ agreement })
    for (const bytes of frames) {
      transport.feed(bytes)
      for (let i = 0; i < 2; i++) shard.environment.compression?.inflaters.closeUnused()
    }
    expect(messages.map(brief)).toEqual(sent.map(brief))
  })
})

describe('a message that is put off', () => {
  it('is not overtaken by those behind it, where what waited for the peer is taken meanwhile', async () => {
    const { shard, connection, transport, messages } = open()
    transport.capacity = 0
    connection.send('waits')
    await turnEnd()
    shard.environment.compression?.inflateTurns.spend(2 ** 20)
    const long = 'x'.repeat(100_000)
    transport.feed(compressed(deflateMessage(long)))
    transport.feed(text('behind it'))
    expect(transport.isPaused).toBe(true)
    transport.take()
    // The peer is in no hurry any more, but the shard is.
    expect([transport.isPaused, messages]).toEqual([true, []])
    await turnEnd()
    await turnEnd()
    expect(transport.isPaused).toBe(false)
    transport.pump()
    expect(messages.map(brief)).toEqual([brief(long), 'behind it'])
  })
})
