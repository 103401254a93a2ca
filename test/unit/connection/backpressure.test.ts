import { describe, expect, it } from 'vitest'
import type { Socket } from '../../../src/socket.js'
import { text } from '../../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { close, ping } from '../../support/peer-frames.js'

const KIB = 'k'.repeat(1020)

describe('a peer that reads slowly', () => {
  it('gets everything in order, and the amounts are right at each step', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    transport.capacity = 5
    expect(connection.send('one')).toBe('sent')
    expect(connection.send('two')).toBe('sent')
    expect(connection.bufferedAmount).toBe(10)
    await turnEnd()
    expect(connection.bufferedAmount).toBe(5)
    expect(connection.send('three')).toBe('buffered')
    expect(connection.ping('p')).toBe('buffered')
    expect(connection.bufferedAmount).toBe(15)
    await turnEnd()
    expect(transport.calls.map(({ how }) => how)).toEqual(['now', 'later'])
    transport.take(3)
    expect(connection.bufferedAmount).toBe(15)
    transport.take(2)
    // The two bytes that are under way count until all of them are taken.
    expect(connection.bufferedAmount).toBe(10)
    transport.take(4)
    expect(connection.bufferedAmount).toBe(10)
    transport.take()
    expect(connection.bufferedAmount).toBe(0)
    expect(connection.send('four')).toBe('sent')
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text one', 'text two', 'text three', 'ping p', 'text four'])
  })

  it('gets a drain when at most highWaterMark waits, once for all that was buffered', async () => {
    const drains: number[] = []
    const shard = new MemoryShard(
      { drain: socket => void drains.push(socket.bufferedAmount) },
      { highWaterMark: 3000 },
    )
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send('first')
    await turnEnd()
    for (let i = 0; i < 10; i++) expect(connection.send(KIB)).toBe('buffered')
    while (connection.bufferedAmount > 3000) {
      expect(drains).toEqual([])
      transport.take(100)
    }
    expect(drains).toHaveLength(1)
    transport.take()
    expect(drains).toHaveLength(1)
    expect(drains[0]).toBeLessThanOrEqual(3000)
    // What was only `sent` asks for no drain.
    connection.send('more')
    await turnEnd()
    expect(drains).toHaveLength(1)
  })

  it('is not read from above highWaterMark, also when that is reached long after the kernel refused', async () => {
    const shard = new MemoryShard(
      { message: (socket, data) => void socket.send(data) },
      { highWaterMark: 5000 },
    )
    const { connection, transport } = shard.connect()
    transport.capacity = 10
    transport.feed(text('a first one'))
    await turnEnd()
    expect(transport.isPaused).toBe(false)
    for (let i = 0; i < 100; i++) transport.feed(text(KIB))
    expect(transport.isPaused).toBe(true)
    expect(connection.bufferedAmount).toBeLessThan(5000 + 2 * 1024)
    expect(connection.readyState).toBe('open')
    // As the peer reads, it is read from again, and nothing is lost.
    for (let i = 0; i < 400 && (transport.isPaused || connection.bufferedAmount > 0); i++) {
      transport.take(500)
      transport.pump()
      expect(connection.bufferedAmount).toBeLessThan(5000 + 3 * 1024)
    }
    transport.take()
    transport.pump()
    await turnEnd()
    expect(framesOf(transport)).toHaveLength(101)
    expect(connection.readyState).toBe('open')
  })

  it('is not read from while a drain handler fills the queue again', async () => {
    let drains = 0
    const shard = new MemoryShard(
      {
        drain: socket => {
          if (drains++ < 3) for (let i = 0; i < 10; i++) socket.send(KIB)
        },
      },
      { highWaterMark: 4000 },
    )
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send(KIB)
    await turnEnd()
    for (let i = 0; i < 5; i++) connection.send(KIB)
    for (let i = 0; i < 200 && connection.bufferedAmount > 0; i++) {
      transport.take(700)
      expect(transport.isPaused).toBe(connection.bufferedAmount > 4000)
    }
    expect(drains).toBe(4)
  })

  it('gets one Pong for all the Pings that came meanwhile, the latest, and the others are counted', async () => {
    const seen: string[] = []
    const shard = new MemoryShard({ ping: (_, payload) => void seen.push(payload.toString()) })
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send('x')
    await turnEnd()
    for (let i = 0; i < 1000; i++) transport.feed(ping(`${i}`))
    expect(connection.bufferedAmount).toBe(3)
    transport.take()
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text x', 'pong 999'])
    expect(seen).toHaveLength(1000)
    expect(shard.counter('PONGS_SKIPPED')).toBe(999)
    transport.feed(ping('again'))
    await turnEnd()
    expect(framesOf(transport)).toEqual(['pong again'])
  })

  it('gets no Pong after our Close', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send('x')
    await turnEnd()
    transport.feed(ping('due'))
    connection.close(1000)
    transport.take()
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text x', 'close 1000'])
  })
})

describe('past maxBackpressure', () => {
  const limits = { maxBackpressure: 4096, highWaterMark: 1024 }

  it('the connection is closed with 1008, after all that was accepted', async () => {
    const closed: unknown[] = []
    const shard = new MemoryShard({ close: (_, code, reason) => void closed.push([code, reason]) }, limits)
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send('')
    await turnEnd()
    // 2 bytes wait; each of these takes 1024.
    const sent = Array.from({ length: 5 }, () => connection.send(KIB))
    expect(sent).toEqual(['buffered', 'buffered', 'buffered', 'dropped', 'dropped'])
    expect(connection.readyState).toBe('closing')
    expect(shard.counter('DROPPED')).toBe(2)
    transport.take()
    await turnEnd()
    const kib = `text ${KIB}`
    expect(framesOf(transport)).toEqual([
      'text',
      kib,
      kib,
      kib,
      'close 1008 more than maxBackpressure bytes wait for the peer',
    ])
    expect(transport.isEnded).toBe(true)
    transport.feedEnd()
    expect(closed).toEqual([[1008, 'more than maxBackpressure bytes wait for the peer']])
  })

  it('or messages are dropped, and a drain says when there is room again', async () => {
    const drains: Socket<unknown>[] = []
    const shard = new MemoryShard(
      { drain: socket => void drains.push(socket) },
      { ...limits, backpressurePolicy: 'drop' },
    )
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    for (let i = 0; i < 3; i++) expect(connection.send(KIB)).toBe('sent')
    await turnEnd()
    expect(connection.bufferedAmount).toBe(3 * 1024)
    expect(connection.send(`${KIB}${KIB}`)).toBe('dropped')
    expect(connection.ping('x'.repeat(125))).toBe('buffered')
    expect(connection.send(Buffer.alloc(20_000))).toBe('dropped')
    expect(connection.readyState).toBe('open')
    expect(drains).toHaveLength(0)
    transport.take()
    await turnEnd()
    expect(drains).toHaveLength(1)
    expect(shard.counter('DROPPED')).toBe(2)
    expect(framesOf(transport)).toHaveLength(4)
  })

  it('a drop alone is followed by a drain, too', async () => {
    let drains = 0
    const shard = new MemoryShard({ drain: () => drains++ }, { ...limits, backpressurePolicy: 'drop' })
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send(`${KIB}x`)
    await turnEnd()
    expect(connection.send('x'.repeat(5000))).toBe('dropped')
    transport.take()
    expect(drains).toBe(1)
  })

  it('is not where a peer gets that makes much of little within one read: the rest of the read waits', async () => {
    const answer = 'y'.repeat(30_000)
    const shard = new MemoryShard({ message: socket => void socket.send(answer) })
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    transport.feed(Buffer.concat(Array.from({ length: 1000 }, () => text('?'))))
    await turnEnd()
    expect(connection.readyState).toBe('open')
    expect(connection.bufferedAmount).toBeLessThan(64 * 1024 + 2 * 30_004)
    expect(transport.isPaused).toBe(true)
    for (let i = 0; i < 2000 && transport.isPaused; i++) {
      transport.take()
      await turnEnd()
      expect(connection.bufferedAmount).toBeLessThan(64 * 1024 + 2 * 30_004)
    }
    transport.take()
    await turnEnd()
    expect(framesOf(transport)).toHaveLength(1000)
  })

  it('is not where an echo gets, however long the messages are', async () => {
    const shard = new MemoryShard({ message: (socket, data) => void socket.send(data) })
    const { connection, transport } = shard.connect()
    transport.capacity = 100
    transport.feed(text('a little waits'.repeat(100)))
    await turnEnd()
    expect(transport.isPaused).toBe(false)
    const long = text('x'.repeat(2 ** 20))
    for (let at = 0; at < long.length; at += 60_000) transport.feed(long.subarray(at, at + 60_000))
    await turnEnd()
    expect(connection.readyState).toBe('open')
    expect(transport.isPaused).toBe(true)
    transport.take()
    await turnEnd()
    expect(framesOf(transport)).toHaveLength(2)
  })

  it('is where a peer gets that others send to', () => {
    const answer = 'y'.repeat(10_000)
    const shard = new MemoryShard({ message: () => void silent.connection.send(answer) })
    const [busy, silent] = [shard.connect(), shard.connect()]
    for (const { transport } of [busy, silent]) transport.capacity = 0
    busy.transport.feed(Buffer.concat(Array.from({ length: 1000 }, () => text('?'))))
    expect(busy.connection.readyState).toBe('open')
    expect(silent.connection.readyState).toBe('closing')
    expect(silent.connection.bufferedAmount).toBeLessThan(2 ** 20 + 64 * 1024 + 20_000)
  })

  it('counts the header of a frame', async () => {
    const shard = new MemoryShard({}, { maxBackpressure: 100, backpressurePolicy: 'drop' })
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send('12345678')
    await turnEnd()
    expect(connection.send('x'.repeat(89))).toBe('dropped')
    expect(connection.send('x'.repeat(88))).toBe('buffered')
    expect(connection.bufferedAmount).toBe(100)
    expect(connection.send('')).toBe('dropped')
  })
})

describe('the closing handshake with a peer that reads slowly', () => {
  it('waits for what is in front of it, and reads the answer once there is room', async () => {
    const shard = new MemoryShard({}, { highWaterMark: 100 })
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send(KIB)
    await turnEnd()
    expect(connection.send('more')).toBe('buffered')
    expect(transport.isPaused).toBe(true)
    connection.close(1001)
    transport.feed(close(1001))
    await turnEnd()
    expect(connection.readyState).toBe('closing')
    transport.take()
    transport.pump()
    await turnEnd()
    expect(framesOf(transport)).toEqual([`text ${KIB}`, 'text more', 'close 1001'])
    expect(transport.isEnded).toBe(true)
    transport.feedEnd()
    expect(connection.readyState).toBe('closed')
  })
})
