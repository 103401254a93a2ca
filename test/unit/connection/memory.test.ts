import { describe, expect, it } from 'vitest'
import { Counter } from '../../../src/ledger.js'
import type { ConnectionOptions } from '../../../src/options.js'
import {
  AGREEMENT,
  compressed,
  deflateMessage,
  deflateOptions,
  parseCompressedFrames,
} from '../../support/compressed-frames.js'
import { BINARY, frame, parseServerFrame, text } from '../../support/frames.js'
import { framesOf, MemoryShard, type TestApp, turnEnd } from '../../support/memory-shard.js'
import type { MemoryTransport } from '../../support/memory-transport.js'
import { close, continuation } from '../../support/peer-frames.js'
import { Random } from '../../support/random.js'
import { openingRequest } from '../../support/wire-client.js'

const MIB = 2 ** 20

function setUp(app: TestApp = {}, options: Partial<ConnectionOptions> = {}) {
  const shard = new MemoryShard(app, { maxMemory: MIB, ...options })
  return {
    shard,
    /** What the shard's clients make it hold. */
    pinned: () => shard.counter('PINNED') + shard.counter('SEND_QUEUE'),
    refused: () => shard.counter('MEMORY_REFUSED'),
  }
}

/** The close code that a client got. */
function closeCode(transport: MemoryTransport): number | undefined {
  for (let rest = transport.takeSent(); rest.length > 0; ) {
    const parsed = parseServerFrame(rest)
    if (parsed === undefined) return undefined
    if (parsed.frame.opcode === 8) return parsed.frame.payload.readUInt16BE(0)
    rest = rest.subarray(parsed.size)
  }
  return undefined
}

describe('a message that comes in', () => {
  const part = (length: number) => frame(BINARY, Buffer.alloc(length), { fin: false })

  it('counts in pages that were written to, until it is delivered', () => {
    const messages: number[] = []
    const { shard, pinned } = setUp({ message: (_, data) => void messages.push(data.length) })
    const { transport } = shard.connect()
    transport.feed(part(1))
    expect(pinned()).toBe(512)
    transport.feed(continuation(Buffer.alloc(5000), { fin: false }))
    expect(pinned()).toBe(5001)
    transport.feed(continuation(Buffer.alloc(50_000), { fin: false }))
    expect(pinned()).toBe(55_001)
    transport.feed(continuation('x'))
    expect([messages, pinned()]).toEqual([[55_002], 0])
    // What is announced is not what is there.
    transport.feed(frame(BINARY, Buffer.alloc(100), { announced: 900_000 }))
    expect(pinned()).toBe(4096)
    transport.reset()
    expect(pinned()).toBe(0)
  })

  it('is closed with 1013 where it would be more than there is for all shards', async () => {
    const { shard, pinned, refused } = setUp()
    const [one, other, third] = [shard.connect(), shard.connect(), shard.connect()]
    // The other shard has half a MiB.
    shard.other[Counter.PINNED] = MIB / 2
    one.transport.feed(part(300_000), 60_000)
    await turnEnd()
    expect(one.connection.readyState).toBe('open')
    other.transport.feed(part(300_000), 60_000)
    await turnEnd()
    expect(closeCode(other.transport)).toBe(1013)
    expect(refused()).toBe(1)
    // What it had is given back at once, and so the next one fits.
    expect(pinned()).toBe(74 * 4096)
    third.transport.feed(part(200_000))
    await turnEnd()
    expect(third.connection.readyState).toBe('open')
    expect(shard.log.filter(line => line.startsWith('warn'))).toEqual([
      'warn clients are turned away: what they make the server hold is more than maxMemory, 1048576',
    ])
  })

  it('of a page at most is received whatever others hold, and so are messages that come whole', async () => {
    const { shard, refused } = setUp({ message: (socket, data) => void socket.send(data) })
    shard.other[Counter.PINNED] = 2 * MIB
    const { transport } = shard.connect()
    transport.feed(frame(1, 'a'.repeat(4000), { fin: false }))
    transport.feed(continuation('b'))
    transport.feed(text('c'.repeat(60_000)))
    await turnEnd()
    expect(framesOf(transport).map(line => line.length)).toEqual([4006, 60_005])
    expect(refused()).toBe(0)
  })

  it('is nothing any more when we close', () => {
    const { shard, pinned } = setUp()
    const { connection, transport } = shard.connect()
    transport.feed(part(100_000))
    expect(pinned()).toBeGreaterThan(100_000)
    connection.close()
    expect(pinned()).toBe(0)
    transport.feed(continuation(Buffer.alloc(100_000), { fin: false }))
    expect(pinned()).toBe(0)
  })
})

describe('what waits while nothing is delivered', () => {
  it('counts until it is delivered', async () => {
    const messages: unknown[] = []
    const { shard, pinned } = setUp({
      message: (socket, data) => {
        messages.push(data)
        socket.pause()
      },
    })
    const { connection, transport } = shard.connect()
    transport.feed(Buffer.concat([text('one'), text('two'), text('three')]))
    expect(messages).toEqual(['one'])
    // Two events, and their bytes.
    expect(pinned()).toBeGreaterThan(32)
    connection.resume()
    await turnEnd()
    expect(messages).toEqual(['one', 'two'])
    expect(pinned()).toBeGreaterThan(16)
    connection.resume()
    await turnEnd()
    expect([messages, pinned()]).toEqual([['one', 'two', 'three'], 0])
  })

  it('is closed with 1013 beyond the budget', async () => {
    const { shard, pinned, refused } = setUp({ message: socket => socket.pause() })
    shard.other[Counter.PINNED] = MIB
    const { transport } = shard.connect()
    transport.feed(Buffer.concat([text('one'), text('x'.repeat(5000))]))
    await turnEnd()
    expect(closeCode(transport)).toBe(1013)
    expect([pinned(), refused()]).toEqual([0, 1])
  })
})

describe('what waits for a peer', () => {
  it('is dropped, or the connection closed, beyond the budget', async () => {
    for (const backpressurePolicy of ['close', 'drop'] as const) {
      const { shard, pinned, refused } = setUp({}, { backpressurePolicy, maxBackpressure: 10 * MIB })
      const { connection, transport } = shard.connect()
      transport.capacity = 0
      connection.send('first')
      await turnEnd()
      expect(connection.send('x'.repeat(900_000))).toBe('buffered')
      expect(pinned()).toBe(900_010 + 7)
      shard.other[Counter.PINNED] = 100_000
      expect(connection.send('x'.repeat(100_000))).toBe('dropped')
      expect(refused()).toBe(1)
      expect(connection.readyState).toBe(backpressurePolicy === 'close' ? 'closing' : 'open')
      transport.take()
      expect(closeCode(transport)).toBe(backpressurePolicy === 'close' ? 1013 : undefined)
      expect(pinned()).toBe(0)
    }
  })

  it('since it stops reading in the midst of it: cut', async () => {
    const codes: number[] = []
    const { shard, pinned, refused } = setUp(
      { close: (_, code) => void codes.push(code) },
      { backpressurePolicy: 'drop' },
    )
    shard.other[Counter.PINNED] = MIB
    const { connection, transport } = shard.connect()
    transport.capacity = 3000
    // Small enough to wait in any case.
    connection.send('x'.repeat(6000))
    await turnEnd()
    expect(connection.readyState).toBe('open')
    transport.take()
    transport.capacity = 3000
    connection.send('x'.repeat(20_000))
    await turnEnd()
    expect(transport.isDestroyed).toBe(true)
    transport.pump()
    expect([codes, pinned(), refused()]).toEqual([[1013], 0, 1])
  })
})

describe('opening requests', () => {
  it('count while they come in, and get 503 beyond the budget', async () => {
    const { shard, pinned, refused } = setUp()
    const begun = shard.accept()
    begun.transport.feed(Buffer.from(`GET / HTTP/1.1\r\nX: ${'x'.repeat(5000)}`))
    expect(pinned()).toBeGreaterThan(5000)
    shard.other[Counter.PINNED] = MIB + 1
    begun.transport.feed(Buffer.from('x'.repeat(6000)))
    const whole = shard.accept()
    whole.transport.feed(Buffer.from(openingRequest()))
    await turnEnd()
    for (const { transport } of [begun, whole]) {
      expect(transport.takeSent().toString()).toMatch(/^HTTP\/1.1 503 /)
    }
    expect([pinned(), refused()]).toEqual([0, 2])
    shard.other[Counter.PINNED] = 0
    const later = shard.accept()
    later.transport.feed(Buffer.from(openingRequest()), 10)
    await turnEnd()
    expect(later.transport.takeSent().toString()).toMatch(/^HTTP\/1.1 101 /)
    expect(pinned()).toBe(0)
  })

  it('with frames before the answer: these count until then', async () => {
    let accept = () => {}
    const messages: unknown[] = []
    const { shard, pinned } = setUp({
      upgrade: () => new Promise<undefined>(resolve => (accept = () => resolve(undefined))),
      message: (_, data) => void messages.push(data.length),
    })
    const [one, other, gone] = [shard.accept(), shard.accept(), shard.accept()]
    one.transport.feed(Buffer.from(openingRequest()))
    one.transport.feed(text('x'.repeat(10_000)))
    expect(pinned()).toBe(10_008)
    accept()
    await turnEnd()
    expect([messages, pinned()]).toEqual([[10_000], 0])

    other.transport.feed(Buffer.from(openingRequest()))
    shard.other[Counter.PINNED] = MIB
    gone.transport.feed(Buffer.from(openingRequest()))
    other.transport.feed(text('x'.repeat(10_000)))
    await turnEnd()
    expect(other.transport.takeSent().toString()).toMatch(/^HTTP\/1.1 503 /)
    expect(pinned()).toBe(0)

    shard.other[Counter.PINNED] = 0
    const third = shard.accept()
    third.transport.feed(Buffer.from(openingRequest()))
    third.transport.feed(text('x'.repeat(100)))
    expect(pinned()).toBe(106)
    third.transport.reset()
    expect(pinned()).toBe(0)
  })
})

describe('compression', () => {
  const perMessageDeflate = deflateOptions({ threshold: 0 })
  const noise = (length: number) => new Random(1).bytes(length)

  it('counts histories and streams, until the connection ends', () => {
    const { shard, pinned } = setUp(
      { message: (socket, data) => void socket.send(data) },
      { perMessageDeflate },
    )
    const { transport } = shard.connect(undefined, AGREEMENT)
    transport.feed(compressed(deflateMessage(noise(20_000)), BINARY))
    // The history, an inflating and a deflating stream.
    expect(pinned()).toBe(20_000 + (32 + 7) * 1024 + 256 * 1024)
    transport.feed(compressed(deflateMessage(noise(50_000)), BINARY))
    expect(pinned()).toBe((32 + 32 + 7 + 256) * 1024)
    transport.reset()
    expect(pinned()).toBe(0)
  })

  it('without context take-over nothing stays', () => {
    const agreement = { ...AGREEMENT, clientNoContextTakeover: true, serverNoContextTakeover: true }
    const { shard, pinned } = setUp(
      { message: (socket, data) => void socket.send(data) },
      { perMessageDeflate },
    )
    const { transport } = shard.connect(undefined, agreement)
    transport.feed(compressed(deflateMessage(noise(50_000)), BINARY))
    expect(pinned()).toBe(0)
  })

  it('a message that inflates to more than there is: 1013', async () => {
    const { shard, pinned, refused } = setUp({}, { perMessageDeflate, maxPayload: 16 * MIB })
    const { transport } = shard.connect(undefined, AGREEMENT)
    transport.feed(compressed(deflateMessage(Buffer.alloc(8 * MIB)), BINARY))
    await turnEnd()
    expect(parseCompressedFrames(transport.takeSent())[0].payload.readUInt16BE(0)).toBe(1013)
    expect(refused()).toBe(1)
    transport.feed(close(1013))
    transport.reset()
    expect(pinned()).toBe(0)
  })

  it('a message that waits for its turn counts until then', async () => {
    const messages: number[] = []
    const { shard, pinned } = setUp(
      { message: (_, data) => void messages.push(data.length) },
      { perMessageDeflate, maxMemory: 64 * MIB },
    )
    const { transport } = shard.connect(undefined, AGREEMENT)
    const settled = (32 + 32 + 7) * 1024
    const one = compressed(deflateMessage(Buffer.alloc(700_000)), BINARY)
    transport.feed(Buffer.concat([one, one, one, one]))
    expect(messages.length).toBeLessThan(4)
    // The one that waits, and what is held behind it.
    expect(pinned()).toBeGreaterThan(settled + 600)
    while (messages.length < 4) await turnEnd()
    expect(pinned()).toBe(settled)
    transport.reset()
    expect(pinned()).toBe(0)
  })
})
