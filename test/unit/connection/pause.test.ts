import { describe, expect, it } from 'vitest'
import type { Socket } from '../../../src/socket.js'
import { text } from '../../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { close, ping } from '../../support/peer-frames.js'

/** A shard whose sockets pause at each message that says so; what was delivered is in `seen`. */
function pausingShard(): { shard: MemoryShard; seen: string[] } {
  const seen: string[] = []
  const shard = new MemoryShard({
    message: (socket, data) => {
      seen.push(data as string)
      socket.send(`re: ${String(data)}`)
      if (data === 'pause') socket.pause()
      if (data === 'pause and resume') {
        socket.pause()
        socket.resume()
      }
    },
    close: (_, code) => void seen.push(`closed ${code}`),
  })
  return { shard, seen }
}

describe('pause and resume', () => {
  it('hold the rest of the read, and stop reading', async () => {
    const { shard, seen } = pausingShard()
    const { connection, transport } = shard.connect()
    transport.feed(Buffer.concat(['pause', 'a', 'pause', 'b', 'pause', 'c'].map(data => text(data))))
    transport.feed(text('next read'))
    expect(transport.isPaused).toBe(true)
    for (const expected of [
      ['pause'],
      ['pause', 'a', 'pause'],
      ['pause', 'a', 'pause', 'b', 'pause'],
      ['pause', 'a', 'pause', 'b', 'pause', 'c', 'next read'],
    ]) {
      await turnEnd()
      expect(seen).toEqual(expected)
      connection.resume()
      // Not from within: nothing is delivered before the call returns.
      expect(seen).toEqual(expected)
      await turnEnd()
      transport.pump()
    }
    expect(transport.isPaused).toBe(false)
  })

  it('in one handler change nothing but the turn', async () => {
    const { shard, seen } = pausingShard()
    const { transport } = shard.connect()
    transport.feed(Buffer.concat([text('pause and resume'), text('a'), text('pause and resume'), text('b')]))
    expect(seen).toEqual(['pause and resume'])
    for (let i = 0; i < 4; i++) await turnEnd()
    expect(seen).toEqual(['pause and resume', 'a', 'pause and resume', 'b'])
    expect(transport.isPaused).toBe(false)
  })

  it('may be called as often as one likes', async () => {
    const { shard, seen } = pausingShard()
    const { connection, transport } = shard.connect()
    connection.resume()
    connection.pause()
    connection.pause()
    connection.resume()
    connection.pause()
    transport.feed(text('held'))
    await turnEnd()
    expect(seen).toEqual([])
    connection.resume()
    connection.resume()
    await turnEnd()
    transport.pump()
    expect(seen).toEqual(['held'])
  })

  it('leave the peer’s Pings and Close for later', async () => {
    const { shard, seen } = pausingShard()
    const { connection, transport } = shard.connect()
    transport.feed(Buffer.concat([text('pause'), ping('later'), close(4000), text('never')]))
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text re: pause'])
    connection.send('still open')
    connection.resume()
    await turnEnd()
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text still open', 'pong later', 'close 4000'])
    expect(seen).toEqual(['pause'])
  })

  it('are over with close(), which finds the peer’s answer in what was held', async () => {
    const { shard, seen } = pausingShard()
    const { connection, transport } = shard.connect()
    transport.feed(Buffer.concat([text('pause'), text('never'), close(1000)]))
    connection.close(1000)
    await turnEnd()
    transport.feedEnd()
    transport.pump()
    expect(seen).toEqual(['pause', 'closed 1000'])
    expect(framesOf(transport)).toEqual(['text re: pause', 'close 1000'])
  })

  it('find the peer’s Close also when its FIN is told before what was held', async () => {
    const { shard, seen } = pausingShard()
    const { connection, transport } = shard.connect()
    connection.pause()
    // A stream that reads ahead may bring bytes, and the end, although it is paused.
    transport.isPaused = false
    transport.feed(close(4000))
    connection.close(1000)
    connection.receiveEnd()
    await turnEnd()
    await turnEnd()
    transport.feedEnd()
    transport.pump()
    expect(framesOf(transport)).toEqual(['close 1000'])
    expect(seen).toEqual(['closed 4000'])
  })

  it('keep a FIN back until everything in front of it is delivered and answered', async () => {
    const { shard, seen } = pausingShard()
    const { connection, transport } = shard.connect()
    transport.feed(Buffer.concat([text('pause'), text('a'), text('pause'), text('b')]))
    // A stream that reads ahead may bring the end although it is paused.
    connection.receiveEnd()
    await turnEnd()
    shard.pass(60_000, 100)
    expect(transport.isDestroyed).toBe(false)
    connection.resume()
    await turnEnd()
    expect(seen).toEqual(['pause', 'a', 'pause'])
    expect(transport.isEnded).toBe(false)
    connection.resume()
    await turnEnd()
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text re: pause', 'text re: a', 'text re: pause', 'text re: b'])
    expect(transport.isEnded).toBe(true)
  })

  it('do not let bytes in behind the application’s back when the kernel takes what waited', async () => {
    const { shard, seen } = pausingShard()
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send('x'.repeat(100_000))
    await turnEnd()
    connection.pause()
    transport.take()
    transport.feed(text('held'))
    await turnEnd()
    expect(transport.isPaused).toBe(true)
    expect(seen).toEqual([])
    connection.resume()
    await turnEnd()
    transport.pump()
    expect(seen).toEqual(['held'])
  })

  it('leave the connection paused for backpressure when the application resumes', async () => {
    const { shard } = pausingShard()
    const { connection, transport } = shard.connect()
    connection.pause()
    transport.capacity = 0
    connection.send('x'.repeat(100_000))
    connection.resume()
    await turnEnd()
    await turnEnd()
    expect(transport.isPaused).toBe(true)
    transport.take()
    expect(transport.isPaused).toBe(false)
  })

  it('keep the order of messages for a handler that takes one at a time', async () => {
    const seen: string[] = []
    let busy = 0
    const shard = new MemoryShard({
      message: async (socket: Socket<unknown>, data) => {
        expect(++busy).toBe(1)
        socket.pause()
        await turnEnd()
        seen.push(data as string)
        busy--
        socket.resume()
      },
    })
    const { transport } = shard.connect()
    const names = Array.from({ length: 30 }, (_, i) => `${i}`)
    transport.feed(Buffer.concat(names.map(name => text(name))), 100)
    transport.feedEnd()
    for (let i = 0; i < 200 && seen.length < names.length; i++) {
      await turnEnd()
      transport.pump()
    }
    expect(seen).toEqual(names)
    for (let i = 0; i < 5; i++) await turnEnd()
    transport.pump()
    expect(transport.isClosed).toBe(true)
  })
})
