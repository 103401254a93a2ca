import { describe, expect, it } from 'vitest'
import { inflateMessage } from '../../reference/inflate.js'
import {
  AGREEMENT,
  compressed,
  deflateMessage,
  deflateOptions,
  parseCompressedFrames,
} from '../../support/compressed-frames.js'
import { open } from '../../support/compressing-shard.js'
import { BINARY, text } from '../../support/frames.js'
import { MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { Random } from '../../support/random.js'

describe('streams of zlib', () => {
  it('are shared: connections without one get it, and go on where they were', async () => {
    const messages: string[] = []
    const shard = new MemoryShard(
      { message: (socket, data) => void messages.push(`${socket.id} ${String(data)}`) },
      { perMessageDeflate: deflateOptions({ threshold: 0, maxContexts: 2 }) },
      128,
    )
    const peers = Array.from({ length: 100 }, () => ({
      ...shard.connect(undefined, AGREEMENT),
      toServer: Buffer.alloc(0),
      fromServer: Buffer.alloc(0),
    }))
    const random = new Random(9)
    for (let i = 0; i < 600; i++) {
      const peer = random.pick(peers)
      const line = `message ${i} of those that peer ${peer.connection.id} sends and gets`
      const dictionary = peer.toServer
      peer.transport.feed(compressed(deflateMessage(line, dictionary.length > 0 ? { dictionary } : {})))
      peer.toServer = Buffer.concat([peer.toServer, Buffer.from(line)]).subarray(-32_768)
      expect(messages.pop()).toBe(`${peer.connection.id} ${line}`)
      peer.connection.send(line)
      await turnEnd()
      const [answer] = parseCompressedFrames(peer.transport.takeSent())
      const { bytes } = inflateMessage(answer.payload, peer.fromServer)
      expect(bytes.toString()).toBe(line)
      peer.fromServer = Buffer.concat([peer.fromServer, bytes]).subarray(-32_768)
    }
    const { compression } = shard.environment
    expect(compression?.deflaters.size).toBe(2)
    expect(compression?.inflaters.size).toBe(64)
  })

  it('are closed when nobody uses them any more, and their owners go on', async () => {
    const { shard, connection, transport, messages } = open({ options: { idlePingMs: 0, idleTimeoutMs: 0 } })
    const { compression } = shard.environment
    transport.feed(compressed('f2 48 cd c9 c9 07 00'))
    connection.send('Hello')
    expect([compression?.inflaters.size, compression?.deflaters.size]).toEqual([1, 1])
    shard.pass(16_000)
    expect([compression?.inflaters.size, compression?.deflaters.size]).toEqual([1, 1])
    shard.pass(50_000)
    expect([compression?.inflaters.size, compression?.deflaters.size]).toEqual([0, 0])
    transport.feed(compressed('f2 00 11 00 00'))
    connection.send('Hello')
    expect(messages).toEqual(['Hello', 'Hello'])
    await turnEnd()
    const answers = parseCompressedFrames(transport.sent).filter(({ isCompressed }) => isCompressed)
    expect(answers.map(({ payload }) => payload.toString('hex'))).toEqual([
      'f248cdc9c90700',
      'f248cdc9c90700',
    ])
  })

  it('are given back when the connection ends', () => {
    const { shard, connection, transport } = open()
    transport.feed(compressed('f2 48 cd c9 c9 07 00'))
    connection.send('Hello')
    connection.terminate()
    transport.pump()
    const { compression } = shard.environment
    // One of each kind is kept for who comes next.
    expect([compression?.inflaters.size, compression?.deflaters.size]).toEqual([1, 1])
    const next = shard.connect(undefined, AGREEMENT)
    next.connection.send('Hello')
    expect(compression?.deflaters.size).toBe(1)
    compression?.close()
    expect([compression?.inflaters.size, compression?.deflaters.size]).toEqual([0, 0])
  })
})

describe('the counters', () => {
  const NAMES = [
    'COMPRESSING',
    'DEFLATED',
    'DEFLATE_INPUT',
    'DEFLATE_OUTPUT',
    'INFLATED',
    'INFLATE_INPUT',
    'INFLATE_OUTPUT',
    'POSTPONED',
  ] as const

  it('tell what was compressed, before and after, and nothing of what was not', async () => {
    const { shard, connection, transport } = open({ deflate: { threshold: 5 } })
    const counters = () => NAMES.map(name => shard.counter(name))
    expect(counters()).toEqual([1, 0, 0, 0, 0, 0, 0, 0])
    connection.send('Hello')
    connection.send('Hell')
    connection.send(new Random(3).bytes(100_000))
    await turnEnd()
    expect(counters()).toEqual([1, 1, 5, 7, 0, 0, 0, 0])
    const large = deflateMessage(Buffer.alloc(2 ** 20))
    const messages = [
      compressed('f2 48 cd c9 c9 07 00'),
      text('plain'),
      compressed(''),
      compressed(large, BINARY),
      compressed('06'),
    ]
    for (const message of messages) transport.feed(message)
    const size = 7 + large.length
    expect(counters()).toEqual([1, 1, 5, 7, 3, size, 5 + 2 ** 20, 1])
    await turnEnd()
    expect(counters()).toEqual([1, 1, 5, 7, 3, size, 5 + 2 ** 20, 1])
  })

  it('stay where they are for connections that do not compress', async () => {
    const shard = new MemoryShard({}, { perMessageDeflate: deflateOptions({ threshold: 0 }) })
    const { connection, transport } = shard.connect()
    connection.send('Hello')
    transport.feed(text('Hello'))
    await turnEnd()
    expect(NAMES.map(name => shard.counter(name))).toEqual(NAMES.map(() => 0))
  })
})
