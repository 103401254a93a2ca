import { describe, expect, it } from 'vitest'
import type { Socket } from '../../../src/socket.js'
import { echoShard, expectReleased } from '../../support/echo-shard.js'
import { falsePromise } from '../../support/false-promise.js'
import { text } from '../../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { close, continuation, ping, pong } from '../../support/peer-frames.js'

describe('a handler that fails', () => {
  const hooks = ['open', 'message', 'ping', 'pong', 'drain'] as const
  const causes: Record<(typeof hooks)[number], Buffer> = {
    open: Buffer.alloc(0),
    message: text('x'),
    ping: ping('x'),
    pong: pong('x'),
    drain: Buffer.alloc(0),
  }

  it.each(
    hooks.flatMap(hook => [
      [hook, 'throws'],
      [hook, 'rejects'],
    ]),
  )('%s %s: the error hook is told, the connection closed with 1011', async (hook, how) => {
    const failure = new Error('on purpose')
    const errors: unknown[][] = []
    const { shard, closed } = echoShard({
      [hook]: () => {
        if (how === 'rejects') return Promise.reject(failure)
        throw failure
      },
      error: (...args: unknown[]) => void errors.push(args),
    })
    const { connection, transport } = shard.connect()
    if (hook === 'drain') {
      transport.capacity = 0
      connection.send('1')
      await turnEnd()
      connection.send('2')
      transport.take()
    }
    transport.feed(causes[hook])
    await turnEnd()
    await turnEnd()
    expect(errors).toEqual([[failure, connection]])
    const frames = framesOf(transport)
    expect(frames.at(-1)).toBe('close 1011 internal error')
    transport.feed(close(1011))
    transport.feedEnd()
    transport.pump()
    expect(closed).toEqual([[1011, '']])
    expectReleased(shard)
  })

  it('close: only the error hook is told', async () => {
    for (const how of ['throws', 'rejects']) {
      const errors: unknown[] = []
      const { shard } = echoShard({
        close: () => {
          if (how === 'rejects') return Promise.reject(new Error(how))
          throw new Error(how)
        },
        error: error => void errors.push((error as Error).message),
      })
      const { transport } = shard.connect()
      transport.reset()
      await turnEnd()
      expect(errors).toEqual([how])
      expectReleased(shard)
    }
  })

  it('is in the log when there is no error hook, or when that fails too', async () => {
    const fail = (): never => {
      throw new Error('first')
    }
    const { shard: plain } = echoShard({ message: fail })
    plain.connect().transport.feed(text('x'))
    expect(plain.log).toContain('error connection 1: a handler failed: Error: first')
    for (const error of [
      () => {
        throw new Error('second')
      },
      () => Promise.reject(new Error('second')),
      // Not even a promise.
      () =>
        falsePromise(() => {
          throw new Error('second')
        }),
    ]) {
      const { shard } = echoShard({ message: fail, error })
      shard.connect().transport.feed(text('x'))
      await turnEnd()
      expect(shard.log).toContain('error connection 1: a handler failed: Error: first')
      expect(shard.log).toContain('error then the error hook failed: Error: second')
    }
  })

  it('may close with a code of its own in the error hook', async () => {
    const { shard } = echoShard({
      message: () => {
        throw new Error('x')
      },
      error: (_, socket) => socket?.close(4321, 'mine'),
    })
    const { transport } = shard.connect()
    transport.feed(text('x'))
    await turnEnd()
    expect(framesOf(transport)).toEqual(['close 4321 mine'])
  })

  it('returns something that only looks like a promise: it is waited for once', async () => {
    const { shard, closed } = echoShard({
      message: () =>
        falsePromise(settle => {
          settle()
          settle()
        }),
    })
    const { transport } = shard.connect()
    transport.feed(Buffer.concat([text('a'), text('b')]))
    await turnEnd()
    transport.feedEnd()
    expect(transport.isEnded).toBe(true)
    transport.pump()
    expect(closed).toEqual([[1006, '']])
  })
})

describe('a handler that ends the connection', () => {
  const ways = {
    terminate: (socket: Socket<unknown>) => socket.terminate(),
    close: (socket: Socket<unknown>) => socket.close(4000),
    'close and terminate': (socket: Socket<unknown>) => {
      socket.close(4000)
      socket.terminate()
    },
    'terminate and close': (socket: Socket<unknown>) => {
      socket.terminate()
      socket.close(4000)
    },
    'pause and terminate': (socket: Socket<unknown>) => {
      socket.pause()
      socket.terminate()
      socket.resume()
    },
    'send, close and send': (socket: Socket<unknown>) => {
      socket.send('before')
      socket.close(4000)
      socket.send('after')
      socket.resume()
    },
  }
  const hooks = ['open', 'message', 'ping', 'pong', 'drain', 'close'] as const

  it.each(
    hooks.flatMap(hook => Object.keys(ways).map(way => [hook, way])) as [
      (typeof hooks)[number],
      keyof typeof ways,
    ][],
  )('%s: %s', async (hook, way) => {
    const closed: number[] = []
    let calls = 0
    const handler = (socket: Socket<unknown>, code: unknown): void => {
      calls++
      if (hook === 'close') closed.push(code as number)
      ways[way](socket)
    }
    const shard = new MemoryShard({ close: (_, code) => void closed.push(code), [hook]: handler })
    const { connection, transport } = shard.connect()
    if (hook === 'drain') {
      transport.capacity = 0
      connection.send('1')
      await turnEnd()
      connection.send('2')
      transport.take()
    }
    if (hook === 'close') transport.reset()
    transport.feed(Buffer.concat([text('1'), ping('2'), pong('3'), text('4'), ping('5'), pong('6')]))
    await turnEnd()
    await turnEnd()
    expect(calls).toBe(1)
    const frames = framesOf(transport)
    if (way.includes('terminate')) expect(transport.isDestroyed).toBe(true)
    else if (hook !== 'close') expect(frames.at(-1)).toBe('close 4000')
    if (way.startsWith('send') && hook !== 'close') expect(frames.at(-2)).toBe('text before')
    transport.feed(Buffer.concat([continuation('x'), close(4000)]))
    transport.feedEnd()
    transport.reset()
    expect(closed).toHaveLength(1)
    expectReleased(shard)
  })

  it('ends another one: its frames of the same turn are lost, nobody else’s', async () => {
    const shard = new MemoryShard({
      message: socket => {
        for (const other of [one, two, three]) other.connection.send('all')
        if (socket === one.connection) two.connection.terminate()
      },
    })
    const [one, two, three] = [shard.connect(), shard.connect(), shard.connect()]
    one.transport.feed(text('x'))
    two.transport.pump()
    await turnEnd()
    expect(framesOf(one.transport)).toEqual(['text all'])
    expect(two.transport.sent).toHaveLength(0)
    expect(framesOf(three.transport)).toEqual(['text all'])
  })
})
