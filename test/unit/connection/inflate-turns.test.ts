// Who inflates much waits for who does not.
import { deflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { DeflateAgreement } from '../../../src/handshake/deflate.js'
import {
  AGREEMENT,
  compressed,
  deflateMessage,
  deflateOptions,
  parseCompressedFrames,
} from '../../support/compressed-frames.js'
import { BINARY, closeFrame, text } from '../../support/frames.js'
import { MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { close, continuation, ping } from '../../support/peer-frames.js'

const MIB = 2 ** 20

/** What a shard inflates in a turn, in one message. */
const LARGE = compressed(deflateMessage(Buffer.alloc(MIB)), BINARY)

/** A shard whose clients compress, and the messages that came: who sent them, and how long they are. */
function shardOf(count: number, agreement: Partial<DeflateAgreement> = {}) {
  const messages: string[] = []
  const shard = new MemoryShard(
    {
      message: ({ id }, data) =>
        void messages.push(`${id}: ${data.length > 50 ? data.length : String(data)}`),
    },
    { perMessageDeflate: deflateOptions({ threshold: 0 }) },
  )
  const peers = Array.from({ length: count }, () => shard.connect(undefined, { ...AGREEMENT, ...agreement }))
  return { shard, peers, messages, take: () => messages.splice(0) }
}

describe.each([
  ['with context take-over', {}],
  ['without', { clientNoContextTakeover: true }],
])('%s', (_, agreement) => {
  it('a client that inflates much gets a message in each turn, in order, and is not read from meanwhile', async () => {
    const { peers, take } = shardOf(1, agreement)
    const [{ transport }] = peers
    const small = compressed(deflateMessage('small'))
    transport.feed(Buffer.concat([LARGE, LARGE, small, text('plain'), LARGE, LARGE, small]))
    expect(take()).toEqual([`1: ${MIB}`])
    expect(transport.isPaused).toBe(true)
    await turnEnd()
    expect(take()).toEqual([`1: ${MIB}`])
    await turnEnd()
    expect(take()).toEqual(['1: small', '1: plain', `1: ${MIB}`])
    await turnEnd()
    expect(take()).toEqual([`1: ${MIB}`])
    expect(transport.isPaused).toBe(true)
    await turnEnd()
    expect(take()).toEqual(['1: small'])
    expect(transport.isPaused).toBe(false)
  })

  it('clients take turns', async () => {
    const { peers, take } = shardOf(3, agreement)
    for (const { transport } of peers) transport.feed(Buffer.concat([LARGE, LARGE]))
    expect(take()).toEqual([`1: ${MIB}`])
    const seen: string[] = []
    for (let turn = 0; turn < 5; turn++) {
      await turnEnd()
      expect(take().map(line => seen.push(line))).toHaveLength(1)
    }
    expect(seen.map(line => line[0])).toEqual(['1', '2', '3', '2', '3'])
    await turnEnd()
    expect(take()).toEqual([])
  })

  it('who sends no large messages does not wait', () => {
    const { peers, take } = shardOf(3, agreement)
    const [busy, other, third] = peers
    busy.transport.feed(Buffer.concat([LARGE, LARGE]))
    take()
    const medium = 'medium '.repeat(9000)
    const message = compressed(deflateMessage(medium))
    other.transport.feed(compressed(deflateMessage('hello')))
    third.transport.feed(message)
    expect(take()).toEqual(['2: hello', '3: 63000'])
    // What each may have all the same is 64 KiB in a turn, the compressed bytes included.
    third.transport.feed(Buffer.concat([compressed(deflateMessage(medium)), compressed(deflateMessage('x'))]))
    expect(take()).toEqual(['3: 63000'])
    other.transport.feed(compressed(deflateMessage('again', { dictionary: Buffer.from('hello') })))
    if (!('clientNoContextTakeover' in agreement)) expect(take()).toEqual(['2: again'])
  })

  it('a message in fragments waits as well, and so does what comes while it does', async () => {
    const { peers, take } = shardOf(2, agreement)
    const [busy, other] = peers
    busy.transport.feed(LARGE)
    const payload = deflateMessage(Buffer.alloc(100_000))
    other.transport.feed(
      Buffer.concat([
        compressed(payload.subarray(0, 9), BINARY, { fin: false }),
        ping('before'),
        continuation(payload.subarray(9)),
        ping('after'),
      ]),
    )
    // What a transport had got already.
    other.transport.isPaused = false
    other.transport.feed(text('the next read'))
    const pongs = () => parseCompressedFrames(other.transport.sent).map(frame => String(frame.payload))
    expect(take()).toEqual([`1: ${MIB}`])
    await turnEnd()
    expect(take()).toEqual(['2: 100000', '2: the next read'])
    await turnEnd()
    expect(pongs()).toEqual(['before', 'after'])
  })

  it('a bomb that has waited ends in 1009, what is not valid in 1007', async () => {
    const { peers, take } = shardOf(3, agreement)
    const invalid = Buffer.concat([
      deflateMessage(Buffer.alloc(100_000)).subarray(0, -1),
      Buffer.of(0xff, 0xff),
    ])
    peers[0].transport.feed(LARGE)
    peers[1].transport.feed(compressed(deflateMessage(Buffer.alloc(MIB + 1)), BINARY))
    peers[2].transport.feed(compressed(invalid, BINARY))
    take()
    for (let turn = 0; turn < 4; turn++) await turnEnd()
    expect(take()).toEqual([])
    const codes = peers.slice(1).map(({ transport }) => {
      return parseCompressedFrames(transport.sent).at(-1)?.payload.readUInt16BE(0)
    })
    expect(codes).toEqual([1009, 1007])
  })

  it('many final blocks are work, too', async () => {
    const { peers, take } = shardOf(1, agreement)
    const blocks = Buffer.concat([...Array.from({ length: 32 }, () => Buffer.of(0x03, 0x00)), Buffer.of(0)])
    const message = compressed(blocks)
    peers[0].transport.feed(Buffer.concat([message, message, message]))
    for (let turn = 0; turn < 3; turn++) {
      expect(take()).toEqual(['1: '])
      await turnEnd()
    }
    expect(take()).toEqual([])
  })
})

describe('a message that waits', () => {
  it('knows what came before it, and the next ones know it', async () => {
    const { peers, take } = shardOf(2)
    const [busy, other] = peers
    const first = 'the beginning of it all'
    const large = Buffer.from(`${first} ${'and so on '.repeat(20_000)}`)
    other.transport.feed(compressed(deflateMessage(first)))
    busy.transport.feed(LARGE)
    other.transport.feed(
      Buffer.concat([
        compressed(deflateMessage(large, { dictionary: Buffer.from(first) })),
        compressed(deflateMessage('and so on', { dictionary: large.subarray(-32_768) })),
      ]),
    )
    expect(take()).toEqual([`2: ${first}`, `1: ${MIB}`])
    await turnEnd()
    await turnEnd()
    expect(take()).toEqual([`2: ${large.length}`, '2: and so on'])
  })

  it('that has final blocks, too', async () => {
    const { peers, take } = shardOf(2)
    const [busy, other] = peers
    const [first, second] = ['the first part, ', 'the second part refers to the first part']
    const message = Buffer.concat([
      deflateRawSync(first),
      deflateMessage(second, { dictionary: Buffer.from(first) }),
    ])
    busy.transport.feed(LARGE)
    other.transport.feed(compressed(message))
    take()
    await turnEnd()
    expect(take()).toEqual([`2: ${(first + second).length}`])
  })

  it('waits longer while the application pauses, and is delivered once', async () => {
    const { peers, take } = shardOf(1)
    const [{ connection, transport }] = peers
    transport.feed(Buffer.concat([LARGE, LARGE, text('last')]))
    take()
    connection.pause()
    for (let turn = 0; turn < 3; turn++) await turnEnd()
    expect(take()).toEqual([])
    connection.resume()
    await turnEnd()
    expect(take()).toEqual([`1: ${MIB}`, '1: last'])
    expect(transport.isPaused).toBe(false)
  })

  it('is delivered after the end of the peer, and before its Close frame is answered', async () => {
    const { peers, take } = shardOf(2)
    const [first, second] = peers
    first.transport.feed(Buffer.concat([LARGE, LARGE, close(1000)]))
    second.transport.feed(LARGE)
    second.transport.feedEnd()
    expect(take()).toHaveLength(1)
    expect(first.transport.sent).toHaveLength(0)
    for (let turn = 0; turn < 4; turn++) {
      await turnEnd()
      second.transport.pump()
    }
    expect(take()).toEqual([`1: ${MIB}`, `2: ${MIB}`])
    expect(parseCompressedFrames(first.transport.sent).at(-1)?.payload.readUInt16BE(0)).toBe(1000)
    expect([first.transport.isEnded, second.transport.isEnded]).toEqual([true, true])
  })

  it('is not delivered any more once the connection is closed or cut', async () => {
    const { shard, peers, take } = shardOf(3)
    for (const { transport } of peers) transport.feed(Buffer.concat([LARGE, LARGE]))
    expect(take()).toHaveLength(1)
    peers[1].connection.terminate()
    peers[1].transport.pump()
    peers[2].connection.close(1001)
    peers[2].transport.feed(closeFrame(1001))
    for (let turn = 0; turn < 6; turn++) {
      await turnEnd()
      peers[2].transport.pump()
    }
    expect(take()).toEqual([`1: ${MIB}`])
    expect(peers[2].transport.isEnded).toBe(true)
    expect(shard.environment.connections.size).toBe(2)
  })
})
