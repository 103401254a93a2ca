import { describe, expect, it } from 'vitest'
import { inflateMessage } from '../../reference/inflate.js'
import { deflateOptions, parseCompressedFrames } from '../../support/compressed-frames.js'
import { brief, open } from '../../support/compressing-shard.js'
import { MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { Random } from '../../support/random.js'

describe('what is sent', () => {
  const lines = (random: Random, count: number): string[] =>
    Array.from({ length: count }, () =>
      JSON.stringify(
        Array.from({ length: random.integer(1, 60) }, () => ({
          name: random.pick(['Ada', 'Bob']),
          at: random.integer(0, 999),
        })),
      ),
    )

  it.each([8, 9, 10, 11, 12, 13, 14, 15])('refers to no more than a window of %i bits', async bits => {
    for (const serverNoContextTakeover of [false, true]) {
      for (const level of [1, 6]) {
        const { connection, transport } = open({
          agreement: { serverMaxWindowBits: bits, serverNoContextTakeover },
          deflate: { threshold: 0, level },
        })
        const random = new Random(bits + level)
        const noise = random.bytes(Math.floor(2 ** bits * 0.3)).toString('hex')
        const sent = [...lines(random, 20), noise + noise, ...lines(random, 10)]
        for (const line of sent) connection.send(line)
        await turnEnd()
        let before = Buffer.alloc(0)
        let farthest = 0
        const received = parseCompressedFrames(transport.sent).map(({ payload, isCompressed }) => {
          if (!isCompressed) return payload.toString()
          const { bytes, distance } = inflateMessage(payload, serverNoContextTakeover ? undefined : before)
          before = Buffer.concat([before, bytes]).subarray(-32_768)
          farthest = Math.max(farthest, distance)
          return bytes.toString()
        })
        expect(received.map(brief)).toEqual(sent.map(brief))
        expect(farthest).toBeLessThanOrEqual(2 ** bits)
        // zlib itself does not get that far with the smallest windows.
        if (bits > 9) expect(farthest).toBeGreaterThan(2 ** (bits - 1))
      }
    }
  })

  it('is compressed from the threshold on, or as send was told', async () => {
    const { connection, transport } = open({ deflate: { threshold: 100 } })
    const short = 'x'.repeat(99)
    const long = 'x'.repeat(100)
    connection.send(short)
    connection.send(long)
    connection.send('é'.repeat(50))
    connection.send(Buffer.from(short))
    connection.send(Buffer.from(long))
    connection.send(short, undefined, true)
    connection.send(long, undefined, false)
    connection.send(long, true)
    connection.send(Buffer.from(long), false, true)
    connection.send('', false, true)
    await turnEnd()
    const frames = parseCompressedFrames(transport.sent)
    expect(frames.map(({ isCompressed, opcode }) => `${opcode}${isCompressed ? ' compressed' : ''}`)).toEqual(
      [
        '1',
        '1 compressed',
        '1 compressed',
        '2',
        '2 compressed',
        '1 compressed',
        '1',
        '2 compressed',
        '1 compressed',
        '1',
      ],
    )
  })

  it('is sent as it is where compressing makes it longer, and the next refers to nothing of it', async () => {
    for (const serverNoContextTakeover of [false, true]) {
      const { connection, transport } = open({ agreement: { serverNoContextTakeover } })
      const noise = new Random(3).bytes(100_000)
      connection.send(noise)
      connection.send(Buffer.concat([noise.subarray(-1000), noise.subarray(-1000)]))
      await turnEnd()
      const [first, second] = parseCompressedFrames(transport.sent)
      expect([first.isCompressed, first.payload.equals(noise), second.isCompressed]).toEqual([
        false,
        true,
        true,
      ])
      expect(inflateMessage(second.payload).bytes.subarray(1000)).toEqual(noise.subarray(-1000))
    }
  })

  it('to a client that did not negotiate is not compressed', async () => {
    const shard = new MemoryShard({}, { perMessageDeflate: deflateOptions({ threshold: 0 }) })
    const { connection, transport } = shard.connect()
    connection.send('x'.repeat(5000), false, true)
    await turnEnd()
    expect(parseCompressedFrames(transport.sent)[0].isCompressed).toBe(false)
  })

  it('to a client that reads slowly comes whole, and what is dropped leaves no trace in what follows', async () => {
    const { connection, transport } = open({
      options: { maxBackpressure: 4000, highWaterMark: 100, backpressurePolicy: 'drop' },
    })
    const random = new Random(5)
    transport.capacity = 10
    const accepted: string[] = []
    let dropped = 0
    for (let i = 0; i < 300; i++) {
      const line = JSON.stringify(Array.from({ length: 40 }, () => random.integer(0, 2 ** 30)))
      if (connection.send(line) === 'dropped') dropped++
      else accepted.push(line)
      expect(connection.bufferedAmount).toBeLessThanOrEqual(4000)
      if (i % 10 === 9) {
        transport.take(500)
        await turnEnd()
      }
    }
    for (let i = 0; i < 10; i++) {
      transport.take()
      await turnEnd()
    }
    let before = Buffer.alloc(0)
    const received = parseCompressedFrames(transport.sent).map(({ payload }) => {
      const { bytes } = inflateMessage(payload, before)
      before = Buffer.concat([before, bytes])
      return bytes.toString()
    })
    expect(received.map(brief)).toEqual(accepted.map(brief))
    expect(dropped).toBeGreaterThan(10)
    expect(accepted.length).toBeGreaterThan(20)
  })
})
