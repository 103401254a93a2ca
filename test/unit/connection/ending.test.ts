import { describe, expect, it } from 'vitest'
import { StateError } from '../../../src/errors.js'
import { echoShard, expectReleased, type Line } from '../../support/echo-shard.js'
import { frame, text } from '../../support/frames.js'
import { framesOf, type MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { close, ping } from '../../support/peer-frames.js'

describe('the closing handshake', () => {
  it('from the peer: answered in the turn, FIN right behind, then its FIN ends it', async () => {
    const { shard, closed } = echoShard()
    const { connection, transport } = shard.connect()
    transport.feed(Buffer.concat([text('last'), close(4001, 'bye'), text('late'), ping('late')]))
    expect(connection.readyState).toBe('closing')
    expect(connection.send('too late')).toBe('dropped')
    expect(connection.ping()).toBe('dropped')
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text last', 'close 4001'])
    expect(transport.calls).toHaveLength(1)
    expect(transport.isEnded).toBe(true)
    transport.feed(Buffer.alloc(100_000, 0xff))
    expect(closed).toEqual([])
    transport.feedEnd()
    expect(connection.readyState).toBe('closed')
    expect(closed).toEqual([[4001, 'bye']])
    expectReleased(shard)
  })

  it('from here: what was sent goes out before, nothing after, and the peer’s code is told', async () => {
    const { shard, closed } = echoShard()
    const { connection, transport } = shard.connect()
    connection.send('before')
    connection.close(1001, 'leaving')
    connection.close(1002)
    expect(connection.send('after')).toBe('dropped')
    await turnEnd()
    transport.feed(Buffer.concat([text('late'), ping('late')]))
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text before', 'close 1001 leaving'])
    expect(transport.isEnded).toBe(false)
    transport.feed(close(1001, 'ok'))
    expect(transport.isEnded).toBe(true)
    transport.feedEnd()
    expect(closed).toEqual([[1001, 'ok']])
    expectReleased(shard)
  })

  it('is cut after closeTimeoutMs, whoever does not answer', async () => {
    const { shard, closed } = echoShard()
    const [unanswered, unfinished] = [shard.connect(), shard.connect()]
    unanswered.connection.close()
    unfinished.transport.feed(close(1000))
    await turnEnd()
    shard.pass(4990)
    expect([unanswered.transport.isDestroyed, unfinished.transport.isDestroyed]).toEqual([false, false])
    unfinished.transport.feed(Buffer.alloc(1000))
    shard.pass(30)
    expect([unanswered.transport.isDestroyed, unfinished.transport.isDestroyed]).toEqual([true, true])
    unanswered.transport.pump()
    unfinished.transport.pump()
    expect(closed).toEqual([
      [1006, ''],
      [1000, ''],
    ])
    expectReleased(shard)
  })

  it('throws for codes and reasons that must not be sent, and the connection lives on', () => {
    const { shard } = echoShard()
    const { connection } = shard.connect()
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5]) {
      expect(() => connection.close(code)).toThrow(StateError)
    }
    expect(() => connection.close(1000, 'é'.repeat(62))).toThrow(StateError)
    expect(connection.readyState).toBe('open')
    connection.close()
    expect(() => connection.close(1005)).toThrow(StateError)
  })
})

describe('a violation', () => {
  it('has its Close after the answers to what came before it, in one write, then FIN', async () => {
    const { shard, closed } = echoShard()
    const { transport } = shard.connect()
    transport.feed(Buffer.concat([text('1'), ping('2'), text('3'), frame(5), text('4')]))
    await turnEnd()
    const reason = 'the opcode is reserved (RFC 6455 5.2)'
    expect(framesOf(transport)).toEqual(['text 1', 'pong 2', 'text 3', `close 1002 ${reason}`])
    expect(transport.calls).toHaveLength(1)
    expect(transport.isEnded).toBe(true)
    transport.feedEnd()
    expect(closed).toEqual([[1002, reason]])
  })
})

describe('the peer’s FIN', () => {
  it('after its last message: the answers go out, then ours', async () => {
    const { shard, closed } = echoShard()
    const { transport } = shard.connect()
    transport.feed(Buffer.concat([text('a'), text('b')]))
    transport.feedEnd()
    expect(transport.isEnded).toBe(false)
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text a', 'text b'])
    expect(transport.isEnded).toBe(true)
    transport.pump()
    expect(closed).toEqual([[1006, '']])
    expectReleased(shard)
  })

  it('waits until the kernel has taken the answers', async () => {
    const { shard, closed } = echoShard()
    const { transport } = shard.connect()
    transport.capacity = 3
    transport.feed(text('answer me'))
    transport.feedEnd()
    await turnEnd()
    expect(transport.isEnded).toBe(false)
    transport.take()
    expect(framesOf(transport)).toEqual(['text answer me'])
    expect(transport.isEnded).toBe(true)
    transport.pump()
    expect(closed).toHaveLength(1)
  })

  it('waits for handlers that are pending, and their answers', async () => {
    const answers: (() => void)[] = []
    const { shard, closed } = echoShard({
      message: async (socket, data) => {
        await new Promise<void>(resolve => {
          answers.push(resolve)
        })
        socket.send(data)
      },
    })
    const { connection, transport } = shard.connect()
    transport.feed(Buffer.concat([text('a'), text('b')]))
    transport.feedEnd()
    await turnEnd()
    expect(transport.isEnded).toBe(false)
    answers[1]()
    await turnEnd()
    expect(transport.isEnded).toBe(false)
    expect(connection.readyState).toBe('open')
    answers[0]()
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text b', 'text a'])
    expect(transport.isEnded).toBe(true)
    transport.pump()
    expect(closed).toEqual([[1006, '']])
  })

  it('does not wait for them longer than closeTimeoutMs, nor in the closing handshake', async () => {
    const { shard, closed } = echoShard({ message: () => new Promise(() => {}) })
    const [one, two] = [shard.connect(), shard.connect()]
    one.transport.feed(text('a'))
    one.transport.feedEnd()
    two.transport.feed(text('b'))
    two.connection.close()
    await turnEnd()
    two.transport.feedEnd()
    expect(two.transport.isEnded).toBe(true)
    two.transport.pump()
    expect(closed).toHaveLength(1)
    shard.pass(5030)
    expect(one.transport.isDestroyed).toBe(true)
    one.transport.pump()
    expect(closed).toHaveLength(2)
    expectReleased(shard)
  })

  it('gives a peer that reads slowly all the time it needs, as long as it reads', async () => {
    const { shard, closed } = echoShard({}, { highWaterMark: 2 ** 20 })
    const { transport } = shard.connect()
    transport.capacity = 10
    transport.feed(text('x'.repeat(600_000)), 100_000)
    transport.feedEnd()
    await turnEnd()
    for (let i = 0; i < 8; i++) {
      shard.pass(4900, 100)
      transport.take(70_000)
      expect(transport.isDestroyed).toBe(false)
    }
    shard.pass(4900, 100)
    expect(transport.isDestroyed).toBe(false)
    transport.take()
    expect(framesOf(transport)).toEqual([`text ${'x'.repeat(600_000)}`])
    expect(transport.isEnded).toBe(true)
    transport.pump()
    expect(closed).toEqual([[1006, '']])
  })

  it('does not wait for a peer that stops reading', async () => {
    const { shard } = echoShard({}, { highWaterMark: 2 ** 20 })
    const { transport } = shard.connect()
    transport.capacity = 10
    transport.feed(text('x'.repeat(300_000)), 100_000)
    transport.feedEnd()
    await turnEnd()
    shard.pass(4000, 100)
    transport.take(70_000)
    shard.pass(4000, 100)
    expect(transport.isDestroyed).toBe(false)
    shard.pass(3000, 100)
    expect(transport.isDestroyed).toBe(true)
  })

  it('inside a message or a header is an end like any other', async () => {
    for (const rest of [text('abc').subarray(0, 3), text('abc').subarray(0, 7), text('a', { fin: false })]) {
      const { shard, closed } = echoShard()
      const { transport } = shard.connect()
      transport.feed(rest)
      transport.feedEnd()
      await turnEnd()
      transport.pump()
      expect(closed).toEqual([[1006, '']])
      expect(transport.sent).toHaveLength(0)
      expectReleased(shard)
    }
  })
})

describe('a reset', () => {
  const states: [name: string, prepare: (shard: MemoryShard) => ReturnType<MemoryShard['connect']>, Line][] =
    [
      ['while it is open', shard => shard.connect(), [1006, '']],
      [
        'in the middle of a message',
        shard => {
          const pair = shard.connect()
          pair.transport.feed(Buffer.concat([text('a', { fin: false }), ping('p').subarray(0, 4)]))
          return pair
        },
        [1006, ''],
      ],
      [
        'with bytes in the arena',
        shard => {
          const pair = shard.connect()
          pair.connection.send('never leaves')
          return pair
        },
        [1006, ''],
      ],
      [
        'with bytes in the queue',
        shard => {
          const pair = shard.connect()
          pair.transport.capacity = 1
          pair.connection.send(Buffer.alloc(50_000))
          pair.connection.send('more')
          return pair
        },
        [1006, ''],
      ],
      [
        'while it is paused, with something held',
        shard => {
          const pair = shard.connect()
          pair.connection.pause()
          return pair
        },
        [1006, ''],
      ],
      [
        'while our Close waits for the answer',
        shard => {
          const pair = shard.connect()
          pair.connection.close(4000)
          return pair
        },
        [1006, ''],
      ],
      [
        'after the peer’s Close',
        shard => {
          const pair = shard.connect()
          pair.transport.feed(close(4000, 'x'))
          return pair
        },
        [4000, 'x'],
      ],
      [
        'after a violation',
        shard => {
          const pair = shard.connect()
          pair.transport.feed(close(1005))
          return pair
        },
        [1002, 'the close code must not be used in a Close frame (RFC 6455 7.4)'],
      ],
      [
        'after the peer’s FIN',
        shard => {
          const pair = shard.connect()
          pair.transport.capacity = 0
          pair.connection.send('x')
          pair.transport.feedEnd()
          return pair
        },
        [1006, ''],
      ],
      [
        'after terminate',
        shard => {
          const pair = shard.connect()
          pair.connection.terminate()
          return pair
        },
        [1006, ''],
      ],
    ]

  it.each(states)('%s releases everything and is told once', async (_, prepare, line) => {
    for (const later of [false, true]) {
      const { shard, closed } = echoShard()
      const { connection, transport } = prepare(shard)
      if (later) await turnEnd()
      transport.reset()
      transport.pump()
      connection.closed()
      expect(closed).toEqual([line])
      expect(connection.readyState).toBe('closed')
      expect(connection.bufferedAmount).toBe(0)
      expect(connection.send('x')).toBe('dropped')
      expect(connection.ping()).toBe('dropped')
      connection.close()
      connection.pause()
      connection.resume()
      connection.terminate()
      const sent = transport.sent.length
      await turnEnd()
      shard.pass(120_000, 1000)
      expect(transport.sent).toHaveLength(sent)
      expect(closed).toHaveLength(1)
      expect(shard.counter('CLOSED')).toBe(1)
      expectReleased(shard)
    }
  })

  it('is told with async handlers pending, whose failure is still an error', async () => {
    const errors: unknown[] = []
    const rejects: ((error: Error) => void)[] = []
    const { shard, closed } = echoShard({
      message: () =>
        new Promise((_, reject) => {
          rejects.push(reject)
        }),
      error: error => void errors.push(error),
    })
    const { transport } = shard.connect()
    transport.feed(text('a'))
    transport.reset()
    expect(closed).toEqual([[1006, '']])
    const failure = new Error('late')
    rejects[0](failure)
    await turnEnd()
    expect(errors).toEqual([failure])
    expect(closed).toHaveLength(1)
  })
})
