import { describe, expect, it } from 'vitest'
import { Histogram } from '../../../src/ledger.js'
import { text } from '../../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { pong } from '../../support/peer-frames.js'

/** A tick of the test's wheel, and one more for the tick that was begun already. */
const LATE_MS = 30

describe('the round trip of a Ping', () => {
  it('is measured once for each Ping, from when it is sent to its Pong', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    const measured = () => {
      const { first, bounds } = Histogram.PING
      const cells = shard.environment.counters.subarray(first, first + bounds.length + 2)
      return { buckets: cells.slice(0, -1).join(' '), sum: cells[bounds.length + 1] }
    }
    // Nobody asked for it.
    transport.feed(pong())
    shard.pass(31_000)
    await turnEnd()
    expect(framesOf(transport)).toEqual(['ping'])
    const sentMs = 30_020
    const tookMs = shard.nowMs - sentMs
    transport.feed(pong('another'))
    expect(measured().sum).toBe(0)
    transport.feed(pong())
    transport.feed(pong())
    expect(measured().buckets).toBe('0 0 0 0 0 0 0 0 0 1 0 0 0 0')
    expect(measured().sum).toBeGreaterThan((tookMs - LATE_MS) / 1000)
    expect(measured().sum).toBeLessThan((tookMs + LATE_MS) / 1000)

    // While the application pauses it says nothing.
    shard.pass(31_000)
    connection.pause()
    shard.pass(5000)
    connection.resume()
    await turnEnd()
    transport.feed(pong())
    expect(measured().buckets).toBe('0 0 0 0 0 0 0 0 0 1 0 0 0 0')
  })
})

describe('a silent peer', () => {
  it('is pinged after 30 s and cut after 60 s', async () => {
    const closed: number[] = []
    const shard = new MemoryShard({ close: (_, code) => void closed.push(code) })
    const { transport } = shard.connect()
    shard.pass(29_990)
    await turnEnd()
    expect(transport.calls).toEqual([])
    shard.pass(LATE_MS)
    await turnEnd()
    expect(framesOf(transport)).toEqual(['ping'])
    shard.pass(29_950)
    expect(transport.isDestroyed).toBe(false)
    shard.pass(50 + 2 * LATE_MS)
    expect(transport.isDestroyed).toBe(true)
    transport.pump()
    expect(closed).toEqual([1006])
    await turnEnd()
    expect(transport.sent).toHaveLength(0)
  })

  it('is pinged once in a while as long as it answers, and not at all while it talks', async () => {
    const shard = new MemoryShard()
    const [answers, talks] = [shard.connect(), shard.connect()]
    let pings = 0
    const bytes = text('x')
    for (let i = 0; i < 600; i++) {
      shard.pass(1000)
      talks.transport.feed(bytes.subarray(i % 7, (i % 7) + 1))
      await turnEnd()
      if (framesOf(answers.transport).length > 0) {
        pings++
        answers.transport.feed(pong())
      }
    }
    expect(talks.transport.calls).toEqual([])
    expect(answers.transport.isDestroyed || talks.transport.isDestroyed).toBe(false)
    expect(pings).toBeGreaterThanOrEqual(18)
    expect(pings).toBeLessThanOrEqual(20)
  })

  it('is not cut for our own slowness: after a stall it is pinged, and has its time to answer', async () => {
    const shard = new MemoryShard()
    const { transport } = shard.connect()
    shard.pass(300_000, 300_000)
    await turnEnd()
    expect(framesOf(transport)).toEqual(['ping'])
    shard.pass(29_000)
    expect(transport.isDestroyed).toBe(false)
    transport.feed(pong())
    shard.pass(29_000)
    expect(transport.isDestroyed).toBe(false)
    await turnEnd()
    expect(framesOf(transport)).toEqual([])
    shard.pass(2000)
    await turnEnd()
    expect(framesOf(transport)).toEqual(['ping'])
  })

  it.each([
    [0, 60_000, 0, 60_000],
    [60_000, 30_000, 0, 30_000],
    [20_000, 0, 1, undefined],
    [0, 0, 0, undefined],
  ])(
    'with idlePingMs %i and idleTimeoutMs %i: %i Pings, cut after %s',
    async (ping, timeout, pings, cutMs) => {
      const shard = new MemoryShard({}, { idlePingMs: ping, idleTimeoutMs: timeout })
      const { transport } = shard.connect()
      let destroyedMs: number | undefined
      for (let ms = 0; ms < 200_000; ms += 1000) {
        shard.pass(1000, 100)
        if (transport.isDestroyed) destroyedMs ??= ms + 1000
      }
      await turnEnd()
      expect(framesOf(transport)).toHaveLength(pings)
      if (cutMs === undefined) expect(destroyedMs).toBeUndefined()
      else {
        expect(destroyedMs).toBeGreaterThanOrEqual(cutMs)
        expect(destroyedMs).toBeLessThanOrEqual(cutMs + 1000)
      }
    },
  )

  it('is there when it takes what waits for it, though it says nothing', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send(Buffer.alloc(900_000))
    for (let i = 0; i < 10; i++) {
      shard.pass(25_000, 100)
      transport.take(70_000)
    }
    expect(transport.isDestroyed).toBe(false)
    shard.pass(95_000, 100)
    expect(transport.isDestroyed).toBe(true)
  })

  it('is left alone while the application does not listen, and has all its time afterwards', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    connection.pause()
    shard.pass(200_000, 100)
    await turnEnd()
    // One, whose answer nobody reads: it is there for a peer that has gone and resets.
    expect(framesOf(transport)).toEqual(['ping'])
    connection.resume()
    await turnEnd()
    shard.pass(29_000, 100)
    await turnEnd()
    expect(transport.calls).toHaveLength(1)
    shard.pass(3000, 100)
    await turnEnd()
    expect(framesOf(transport)).toEqual(['ping'])
  })

  it('is not pinged while the application does not listen, when idlePingMs is 0', async () => {
    const shard = new MemoryShard({}, { idlePingMs: 0 })
    const { connection, transport } = shard.connect()
    connection.pause()
    shard.pass(200_000, 100)
    await turnEnd()
    expect(transport.calls).toEqual([])
  })

  it('is dropped while the application does not listen, when the kernel knows that it has gone', () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    connection.pause()
    transport.isConnectedToPeer = false
    shard.pass(29_000, 100)
    expect(transport.isDestroyed).toBe(false)
    shard.pass(3000, 100)
    expect(transport.isDestroyed).toBe(true)
  })
})
