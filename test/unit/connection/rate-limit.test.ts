import { describe, expect, it } from 'vitest'
import type { ConnectionOptions } from '../../../src/options.js'
import { BINARY, frame, TEXT, text } from '../../support/frames.js'
import { framesOf, MemoryShard, type TestApp, turnEnd } from '../../support/memory-shard.js'
import { binary, close, continuation, fragments, ping, pong } from '../../support/peer-frames.js'
import { Random } from '../../support/random.js'

function setUp(options: Partial<ConnectionOptions>, app: TestApp = {}) {
  const messages: string[] = []
  const shard = new MemoryShard(
    {
      ...app,
      message: (socket, data) => {
        messages.push(String(data))
        return app.message?.(socket, data, false)
      },
    },
    options,
  )
  return { shard, messages, ...shard.connect() }
}

/** Messages that say their number. */
const numbered = (from: number, to: number): Buffer =>
  Buffer.concat(Array.from({ length: to - from }, (_, i) => text(String(from + i))))
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i))

describe('maxMessagesPerSecond', () => {
  it('delivers a second’s worth at once, and the others as time passes; nothing is read meanwhile', () => {
    const { shard, messages, transport } = setUp({ maxMessagesPerSecond: 10 })
    transport.feed(numbered(0, 35))
    expect(messages).toEqual(numbers(0, 10))
    expect(transport.isPaused).toBe(true)
    expect(shard.counter('RATE_LIMITED')).toBe(1)
    expect(shard.counter('PINNED')).toBeGreaterThan(0)
    transport.feed(numbered(35, 40))
    shard.pass(1000)
    expect(messages.length).toBeGreaterThanOrEqual(18)
    expect(messages.length).toBeLessThanOrEqual(20)
    shard.pass(1900)
    expect(messages.length).toBeLessThanOrEqual(39)
    shard.pass(1000)
    transport.pump()
    shard.pass(100)
    expect(messages).toEqual(numbers(0, 40))
    expect(transport.isPaused).toBe(false)
    expect(shard.counter('PINNED')).toBe(0)
  })

  it('never stops who keeps to it', () => {
    const { shard, messages, transport } = setUp({ maxMessagesPerSecond: 10 })
    for (let i = 0; i < 100; i++) {
      shard.pass(100)
      transport.feed(text(String(i)))
    }
    expect(messages).toEqual(numbers(0, 100))
    expect(shard.counter('RATE_LIMITED')).toBe(0)
  })

  it.each([
    ['Pings', ping()],
    ['Pongs', pong()],
    ['fragments', frame(BINARY, '', { fin: false }), continuation('', { fin: false })],
  ])('counts %s as well', (_, first, next = first) => {
    const { shard, transport } = setUp({ maxMessagesPerSecond: 5 })
    transport.feed(Buffer.concat([first, ...Array<Buffer>(19).fill(next)]))
    expect(transport.isPaused).toBe(true)
    shard.pass(2000)
    expect(transport.isPaused).toBe(true)
    shard.pass(1500)
    expect(transport.isPaused).toBe(false)
  })

  it('counts a frame once, in however many reads it comes', () => {
    const { shard, messages, transport } = setUp({ maxMessagesPerSecond: 3 })
    const bytes = Buffer.concat([fragments(TEXT, ['a'.repeat(100), 'b'.repeat(100)]), numbered(0, 1)])
    transport.feed(Buffer.from(bytes), 7)
    expect(messages).toHaveLength(2)
    expect(shard.counter('RATE_LIMITED')).toBe(0)
  })

  it('answers a Close frame at once, and lets us close', async () => {
    const { transport } = setUp({ maxMessagesPerSecond: 1 })
    transport.feed(Buffer.concat([text('a'), close(1000)]))
    await turnEnd()
    expect(framesOf(transport)).toEqual(['close 1000'])

    const other = setUp({ maxMessagesPerSecond: 1 })
    other.transport.feed(Buffer.concat([text('a'), text('b'), close(1000)]))
    expect(other.messages).toEqual(['a'])
    other.connection.close(4000)
    await turnEnd()
    expect(other.transport.isEnded).toBe(true)
    expect(other.messages).toEqual(['a'])
    other.transport.feedEnd()
    expect([other.transport.isClosed, other.shard.counter('PINNED')]).toEqual([true, 0])
  })

  it('charges nothing twice where the application pauses', async () => {
    const { shard, messages, connection, transport } = setUp(
      { maxMessagesPerSecond: 10 },
      { message: socket => socket.pause() },
    )
    transport.feed(numbered(0, 10))
    for (let i = 1; i <= 10; i++) {
      expect(messages).toEqual(numbers(0, i))
      connection.resume()
      await turnEnd()
    }
    expect(shard.counter('RATE_LIMITED')).toBe(0)
    // Both at once: each has to go on.
    shard.pass(300)
    transport.feed(numbered(10, 16))
    expect(messages).toEqual(numbers(0, 11))
    shard.pass(3000)
    expect(messages).toHaveLength(11)
    for (let i = 12; i <= 16; i++) {
      connection.resume()
      await turnEnd()
      shard.pass(1000)
      expect(messages).toEqual(numbers(0, i))
    }
  })

  it('does not make a peer look silent', () => {
    const { shard, connection, transport } = setUp({
      maxBytesPerSecond: 100,
      idlePingMs: 1000,
      idleTimeoutMs: 2000,
    })
    transport.feed(binary('x'.repeat(1000)))
    shard.pass(8500)
    expect(transport.isPaused).toBe(true)
    expect(connection.readyState).toBe('open')
    shard.pass(10_000)
    expect(transport.isDestroyed).toBe(true)
  })

  it('lets a half-closed peer’s messages come in all the same', async () => {
    const { shard, messages, transport } = setUp({ maxMessagesPerSecond: 2, closeTimeoutMs: 500 })
    transport.feed(numbered(0, 6))
    transport.feedEnd()
    shard.pass(3500)
    transport.pump()
    await turnEnd()
    expect(messages).toEqual(numbers(0, 6))
    expect(transport.isEnded).toBe(true)
  })

  it('closes with 1008 where it is to, after what may be delivered', async () => {
    const { shard, messages, transport } = setUp({ maxMessagesPerSecond: 3, rateLimitPolicy: 'close' })
    transport.feed(numbered(0, 5))
    await turnEnd()
    expect(messages).toEqual(['0', '1', '2'])
    expect(framesOf(transport)[0]).toMatch(/^close 1008/)
    expect([shard.counter('RATE_LIMITED'), shard.counter('PINNED')]).toEqual([1, 0])
  })

  it('keeps to the rate whatever comes, and the order (seeded)', () => {
    const random = new Random()
    const perSecond = random.integer(1, 50)
    const { shard, messages, transport } = setUp({ maxMessagesPerSecond: perSecond })
    let sent = 0
    for (let step = 0; step < 200; step++) {
      const count = random.integer(0, 20)
      transport.feed(numbered(sent, sent + count), random.integer(1, 100))
      sent += count
      shard.pass(random.integer(0, 400))
      transport.pump()
      const most = perSecond + (shard.nowMs / 1000) * perSecond + 1
      expect(messages.length, `seed ${random.seed}`).toBeLessThanOrEqual(most)
    }
    for (let i = 0; i < 100_000 && messages.length < sent; i++) {
      shard.pass(200)
      transport.pump()
    }
    expect(messages).toEqual(numbers(0, sent))
  })
})

describe('maxBytesPerSecond', () => {
  it('a read is waited for, in full', () => {
    const { shard, messages, transport } = setUp({ maxBytesPerSecond: 1000 })
    transport.feed(binary('x'.repeat(2992)))
    expect([messages.length, transport.isPaused]).toEqual([1, true])
    shard.pass(1900)
    expect(transport.isPaused).toBe(true)
    shard.pass(200)
    expect(transport.isPaused).toBe(false)
    expect(shard.counter('RATE_LIMITED')).toBe(1)
  })

  it('closes with 1008 where it is to', async () => {
    const { transport } = setUp({ maxBytesPerSecond: 1000, rateLimitPolicy: 'close' })
    transport.feed(binary('x'.repeat(900)))
    await turnEnd()
    expect(framesOf(transport)).toEqual([])
    transport.feed(binary('x'.repeat(900)))
    await turnEnd()
    expect(framesOf(transport)[0]).toMatch(/^close 1008/)
  })
})

describe('a flood of Pings without a limit', () => {
  it('costs what may wait for a peer, and one Pong', async () => {
    let pings = 0
    const { shard, connection, transport } = setUp({}, { ping: () => void pings++ })
    transport.capacity = 1000
    for (let i = 0; i < 50; i++) {
      transport.feed(Buffer.concat(Array<Buffer>(1000).fill(ping('x'.repeat(125)))))
      await turnEnd()
    }
    expect(connection.readyState).toBe('open')
    expect(pings).toBeGreaterThan(1000)
    // What one read asks for, and nothing of the reads after it.
    expect(connection.bufferedAmount).toBeLessThan(1000 * 127)
    expect(shard.counter('PONGS_SKIPPED')).toBeGreaterThan(40_000)
  })
})
